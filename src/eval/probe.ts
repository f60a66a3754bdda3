import type { Addon } from '../native/addon.js'
import { NativeHandle } from '../native/handle.js'
import { loadAddon } from '../native/load.js'
import type { F32Tensor, I32Tensor, LinearProbeHandle, ProbeMetrics } from '../native/types.js'
import { type FeatureBank, rowsOf } from './feature-bank.js'
import { countRight } from './metrics/accuracy.js'

/** Of the reference's linear probe (spec/downstream.md 3.1, 3.3). */
const constants = { batchNormEps: 1e-6, batchNormMomentum: 0.1, momentum: 0.9, trust: 0.001, initStd: 0.01 }

/** Rows scored at a time, so that counting leaves the event loop free. */
const rowsPerCall = 1024

/** The sizes of a probe, and what decides its start weights. */
export interface ProbeShape {
  readonly featureDim: number
  readonly classes: number
  readonly seed: number
  readonly device: string
}

/** Makes a linear classifier with fresh weights. */
export async function createProbe({ featureDim, classes, seed, device }: ProbeShape): Promise<Probe> {
  const addon = await loadAddon()
  const raw = await addon.createLinearProbe({ featureDim, classes, ...constants }, seed, device)
  return new Probe(addon, new NativeHandle(addon, raw, 'linear probe'), classes)
}

/** A linear classifier on features, in training or in use. */
export class Probe implements AsyncDisposable {
  /** Use `createProbe`. */
  constructor(
    private readonly addon: Addon,
    private readonly handle: NativeHandle<LinearProbeHandle>,
    private readonly classes: number,
  ) {}

  /** One optimizer step, on all rows or on those named. */
  step(
    features: F32Tensor,
    labels: Int32Array,
    o: { readonly rows?: Int32Array; readonly lr: number; readonly weightDecay: number },
  ): Promise<ProbeMetrics> {
    return this.addon.linearProbeStep(this.handle.get(), features, vector(labels), o.rows && vector(o.rows), o.lr, o.weightDecay)
  }

  /** Accuracies on a bank, in percent. */
  async accuracy({ features, labels }: FeatureBank, signal?: AbortSignal): Promise<{ readonly accuracy: number; readonly top5: number }> {
    let first = 0
    let five = 0
    for (let from = 0; from < labels.length; from += rowsPerCall) {
      signal?.throwIfAborted()
      const to = Math.min(from + rowsPerCall, labels.length)
      const { data } = await this.addon.linearProbeLogits(this.handle.get(), rowsOf(features, from, to))
      first += countRight({ data, classes: this.classes }, labels.subarray(from, to), 1)
      five += countRight({ data, classes: this.classes }, labels.subarray(from, to), 5)
    }
    return { accuracy: (100 * first) / labels.length, top5: (100 * five) / labels.length }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.handle.dispose()
  }
}

function vector(data: Int32Array): I32Tensor {
  return { data, shape: [data.length] }
}
