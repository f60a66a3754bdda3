import type { EndEvent, StartEvent, StepEvent } from '../../src/train/events.js'

/** A start event with everything filled in; `over` says what the test is about. */
export function startEvent(over: Partial<StartEvent> = {}): StartEvent {
  return {
    type: 'start',
    out: 'runs/a',
    steps: 100,
    startStep: 0,
    stepsPerEpoch: 10,
    images: 640,
    batchSize: 64,
    device: 'cpu',
    precision: 'fp32',
    parameters: 1_234_567,
    ...over,
  }
}

export function stepEvent(step: number, over: Partial<StepEvent> = {}): StepEvent {
  return {
    type: 'step',
    step,
    steps: 100,
    epoch: step / 10,
    metrics: { loss: 1 / step, loss_main: 0.75 / step, loss_align: 0.25 / step, grad_norm: 2 },
    lr: 0.001,
    weightDecay: 0.05,
    skipped: false,
    imagesPerSecond: 250,
    dataWaitShare: 0.125,
    etaSeconds: 100 - step,
    ...over,
  }
}

export function endEvent(over: Partial<EndEvent['summary']> = {}): EndEvent {
  return {
    type: 'end',
    summary: {
      steps: 100,
      epochs: 10,
      seconds: 25.6,
      imagesPerSecond: 250,
      dataWaitShare: 0.01,
      metrics: { loss: 0.01, loss_main: 0.0075, loss_align: 0.0025 },
      badImages: 0,
      skippedSteps: 0,
      checkpoint: 'runs/a/checkpoints/step-100',
      ...over,
    },
  }
}
