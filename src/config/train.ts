import { dataFields } from './data.js'
import { autoReal, type Fields, flag, type Infer, int, oneOf, real, text } from './field.js'
import { recipeNames } from './recipes.js'

/** Where training runs: the best device there is, or the one named. */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`

/** How long a run is, and what it runs on. */
export const runFields = {
  /** Named settings that go between the preset and your own options. */
  recipe: oneOf(recipeNames, { default: null, meaning: 'none' }),
  /** Times that every image is seen. Give this or `steps`. */
  epochs: real({ default: null, meaning: '100, unless `steps` is given', min: 0.0001 }),
  /** Optimizer steps of the whole run. Give this or `epochs`. */
  steps: int({ default: null, meaning: 'from `epochs`', min: 1 }),
  /** Images of an optimizer step, all devices together. */
  batchSize: int({ default: 64, min: 1, unit: 'images' }),
  /** Images that go through the network at once; gradients of a batch are accumulated over such parts. Divides `batchSize`. */
  microBatchSize: int({ default: null, meaning: 'the whole batch', min: 1, unit: 'images' }),
  /** Where to train. 'auto': the first CUDA device, else the CPU. */
  device: text<DeviceName>({
    default: 'auto',
    hint: 'device',
    pattern: /^(auto|cpu|cuda(:\d{1,3})?)$/,
    expects: "'auto', 'cpu', 'cuda' or 'cuda:N'",
  }),
  /** Number format of the products. 'auto': bf16 where the hardware is faster with it. Weights and optimizer are fp32 always. */
  precision: oneOf(['auto', 'fp32', 'bf16'], { default: 'auto' }),
  /** Names all random draws: crops, masks, order, start weights, drop path. */
  seed: int({ default: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
  /** CPU threads of the tensor library. */
  threads: int({ default: 0, min: 0, max: 1024, meaning: "0: the library's choice" }),
  /** On CUDA: only algorithms that give the same bits every time. The CPU always does. */
  deterministic: flag({ default: false }),
} as const satisfies Fields

/** What the optimizer does at a step. */
export const optimizerFields = {
  /** Learning rate after warm-up, absolute: it is not scaled by the batch. The authors' 1.5e-3 goes with a batch of 2048. */
  lr: autoReal({ min: 0, max: 1000, meaning: '1.5e-3 × √(`batchSize` / 2048)' }),
  /** Learning rate that the cosine ends at. */
  minLr: real({ default: 1e-5, min: 0 }),
  /** Epochs over which the learning rate rises from 0. */
  warmupEpochs: real({ derived: '5 % of the run; of one in `epochs` at most 10', min: 0 }),
  /** The same in optimizer steps. Give this or `warmupEpochs`. */
  warmupSteps: int({ derived: 'from `warmupEpochs`', min: 0 }),
  /** Decoupled weight decay of matrices, class and mask token. */
  weightDecay: real({ default: 0.05, min: 0 }),
  /** Weight decay at the end of the run, reached along a cosine. */
  weightDecayEnd: real({ default: null, meaning: 'constant', min: 0 }),
  /** AdamW: decay of the gradient's mean. */
  beta1: real({ default: 0.9, min: 0, max: 0.999999 }),
  /** AdamW: decay of the squared gradient's mean. */
  beta2: real({ default: 0.999, min: 0, max: 0.999999 }),
  /** AdamW: added to the root of the squared gradient's mean. */
  eps: real({ default: 1e-8, min: 0 }),
  /** Largest norm of all gradients together; 0 leaves them as they are. */
  clipNorm: real({ default: 3, min: 0 }),
  /** Steps in a row that may be skipped because loss or gradient is not finite; one more ends the run. */
  maxSkippedSteps: int({ default: 5, min: 0, unit: 'steps' }),
} as const satisfies Fields

/** What a run starts from and leaves on disk. */
export const outputFields = {
  /** Steps between checkpoints; 0 writes one at the end only. */
  checkpointEvery: int({ default: 1000, min: 0, unit: 'steps' }),
  /** Newest checkpoints that are kept. */
  keepLast: int({ default: 2, min: 1 }),
  /** Keep for good every checkpoint whose step is a multiple of this; 0 keeps none but the newest. A multiple of `checkpointEvery`. */
  keepEvery: int({ default: 0, min: 0, unit: 'steps' }),
  /** A run that is in `out` already: 'auto' goes on from its newest complete checkpoint, 'never' refuses the folder. An empty folder starts anew either way. */
  resume: oneOf(['never', 'auto'], {
    default: 'never',
    expects: "'auto' or 'never': `resume` goes on with the run in `out`, `initFrom` starts a new one from weights",
  }),
  /** Go on with a run although options were changed that its numbers depend on: it ends otherwise than an unbroken one would. */
  allowConfigChange: flag({ default: false }),
  /** Weights to start from: a run, a checkpoint folder or a safetensors file. */
  initFrom: text({ default: null, hint: 'path', meaning: 'fresh weights' }),
  /** Steps between pictures in `images/`; 0 draws them at the end only. */
  figureEvery: int({ default: 1000, min: 0, unit: 'steps' }),
  /** Images shown in a picture of reconstructions. */
  figureImages: int({ default: 8, min: 1, max: 64 }),
  /** Images kept out of training, for pictures and for measuring reconstructions. */
  holdout: int({ default: 0, min: 0, unit: 'images' }),
} as const satisfies Fields

/** Everything about a run but its model. */
export const trainFields = { ...runFields, ...optimizerFields, ...outputFields, ...dataFields } as const

/** What a trainer without a run is given: the loop and its schedules are its owner's. */
export const trainerFields = {
  weightDecay: optimizerFields.weightDecay,
  beta1: optimizerFields.beta1,
  beta2: optimizerFields.beta2,
  eps: optimizerFields.eps,
  clipNorm: optimizerFields.clipNorm,
  seed: runFields.seed,
} as const satisfies Fields

/** Everything that says how a run trains, resolved; `config.json` of a run holds it. */
export type TrainConfig = Infer<typeof trainFields> & { /** Name of the pre-training method. */ readonly method: string }

/** The authors' learning rate and the batch it goes with (spec/cae.md 6.1). */
const referenceLr = { lr: 1.5e-3, batchSize: 2048 }

/**
 * Learning rate for a batch size where the user names none: the authors' rate, scaled by the square root of the batch, which is the rule
 * that keeps AdamW's noise alike (Malladi et al. 2022); a linear rule leaves too little at batches of a desktop.
 */
export function autoLr(batchSize: number): number {
  return referenceLr.lr * Math.sqrt(batchSize / referenceLr.batchSize)
}
