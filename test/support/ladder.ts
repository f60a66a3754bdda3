import type { ContextAutoencoder } from '../../src/api/model.js'
import type { Trainer } from '../../src/api/trainer.js'
import type { F32Tensor } from '../../src/native/types.js'
import { closeness, type Numbers } from './expect-close.js'
import type { Golden, TargetWeights, TraceStep } from './golden.js'

/** The package as a user has it. */
export interface Api {
  readonly ContextAutoencoder: typeof ContextAutoencoder
  readonly Trainer: typeof Trainer
}

/** One compared quantity. */
export interface Rung {
  readonly name: string
  /** Largest absolute difference. */
  readonly worst: number
  readonly tolerance: number
  readonly ok: boolean
  /** Where the difference is, or why nothing could be compared. */
  readonly detail: string
}

/** Absolute tolerances of spec/cae.md 12, float32 on the CPU. */
const tolerances = { positions: 1e-6, forward: 1e-5, gradient: 1e-5, trace: 2e-5, weights: 1e-5, exact: 0 } as const

/**
 * Compares this package with a golden file, in data-flow order: positions, blocks, modules, losses, gradients, then optimizer steps with both
 * kinds of target weights and what they leave. Every key of the file under `mid/`, `out/`, `grad/` and `final_*` comes up; one that cannot be
 * compared is a miss.
 */
export async function* climb(golden: Golden, api: Api): AsyncGenerator<Rung> {
  const left = new Set(golden.wanted.keys())
  yield* labelOrder(golden)
  for await (const rung of [forwardRungs(golden, api), optimizerRungs(golden, api)]) {
    for await (const one of rung) {
      left.delete(one.name)
      yield one
    }
  }
  for (const name of left) yield missed(name, 'nothing of this name was computed')
}

/** The order of masked patches, which everything after it depends on: ids[mask], sample by sample. */
function labelOrder({ ids, masks: [mask], labels }: Golden): Rung[] {
  if (labels === undefined) return []
  const got = [...ids.data].filter((_, i) => mask?.data[i] === 1)
  return [compared('in/labels_step0', { data: got, shape: labels.shape }, labels, tolerances.exact)]
}

/** Rungs 1 to 5: one forward and backward pass. */
async function* forwardRungs(
  { config, weights, image, ids, masks, wanted, step0 }: Golden,
  { ContextAutoencoder }: Api,
): AsyncGenerator<Rung> {
  await using model = await ContextAutoencoder.create({ ...config, targetWeights: 'shared' }, { device: device() })
  await model.loadWeights(weights)
  const got = await model.forward({ images: image, ids, mask: masks[0] }, { intermediates: true, gradients: true })
  for (const [name, want] of inDataFlow(wanted)) {
    if (name.startsWith('final_')) continue
    const tensor = got[name]
    const tolerance = toleranceOf(name)
    yield tensor ? compared(name, tensor, flattenScalar(want, tensor), tolerance) : missed(name, 'the forward pass gave no such tensor')
  }
  const reported: Record<string, number | undefined> = {
    loss: got['out/loss']?.data[0],
    loss_main: got['out/loss_main']?.data[0],
    loss_align_weighted: got['out/loss_align_weighted']?.data[0],
    accuracy: got['out/mlm_acc']?.data[0],
    grad_norm: gradientNorm(got),
  }
  for (const [name, want] of Object.entries(step0)) yield scalar(`step0/${name}`, reported[name], want, tolerances.forward)
}

/** Rungs 6 and 7: optimizer steps, each with its own mask, and the weights they leave. */
async function* optimizerRungs(golden: Golden, api: Api): AsyncGenerator<Rung> {
  for (const [mode, trace] of Object.entries(golden.trace)) {
    if (mode === 'lagged' || mode === 'shared') yield* trainedRungs(golden, api, mode, trace)
  }
}

async function* trainedRungs(golden: Golden, api: Api, mode: TargetWeights, trace: readonly TraceStep[]): AsyncGenerator<Rung> {
  const { config, weights, image, ids, masks, lr, optimizer, wanted } = golden
  await using model = await api.ContextAutoencoder.create({ ...config, targetWeights: mode }, { device: device() })
  await model.loadWeights(weights)
  await using trainer = await api.Trainer.create(model, optimizer)
  const got: Record<keyof TraceStep, number[]> = { loss: [], loss_main: [], loss_align: [], grad_norm: [], acc: [] }
  for (const step of trace.keys()) {
    const { values } = await trainer.step({ images: image, ids, mask: masks[step] }, { lr: lr[step] ?? Number.NaN })
    for (const name of names(got)) got[name].push(values[name === 'acc' ? 'mlm_acc' : name] ?? Number.NaN)
  }
  for (const name of names(got)) {
    const want = trace.map((step) => step[name])
    yield compared(
      `trace.${mode}/${name}`,
      { data: got[name], shape: [want.length] },
      { data: want, shape: [want.length] },
      tolerances.trace,
    )
  }
  const prefix = `final_${mode}/`
  const finals = [...wanted].filter(([key]) => key.startsWith(prefix))
  const after = await model.weights(finals.map(([key]) => key.slice(prefix.length)).filter((name) => hasTensor(model, name)))
  for (const [key, want] of finals) {
    const name = key.slice(prefix.length)
    const tensor = after[name]
    if (!tensor) yield missed(key, 'the model has no such tensor')
    else if (name.endsWith('norm1_k.bias')) yield noiseOnly(key, tensor, want, golden)
    else yield compared(key, tensor, want, tolerances.weights)
  }
}

/**
 * A bias on all keys cancels in the softmax, so its gradient is rounding noise, which AdamW turns into steps of full size (spec/cae.md 11.15).
 * Two right programs agree about it only as far as neither left the range of such steps.
 */
function noiseOnly(name: string, got: F32Tensor, want: F32Tensor, { lr, optimizer: { beta1, beta2 } }: Golden): Rung {
  const largestStep = Math.max(1, (1 - beta1) / Math.sqrt(1 - beta2))
  const rung = compared(name, got, want, 2 * largestStep * lr.reduce((sum, rate) => sum + rate, 0))
  return { ...rung, detail: 'zero gradient by construction: AdamW moves it by rounding noise, within this bound' }
}

function toleranceOf(name: string): number {
  if (name === 'mid/pos_embed') return tolerances.positions
  return name.startsWith('grad/') ? tolerances.gradient : tolerances.forward
}

const flow = [
  'pos_embed',
  'patch_embed',
  'encoder_block',
  'encoder_out',
  'encoder_proj',
  'latent_target',
  'regressor_block',
  'latent_pred',
  'decoder_block',
  'decoder_norm',
]

/** The order in which a forward pass makes them, so that the first miss is the culprit; gradients come from the losses back. */
function inDataFlow(wanted: ReadonlyMap<string, F32Tensor>): [string, F32Tensor][] {
  const rank = (key: string): number => {
    if (key.startsWith('out/')) return key === 'out/logits' ? 100 : 101
    if (key.startsWith('grad/')) return 102
    const place = flow.findIndex((stem) => key.startsWith(`mid/${stem}`))
    return place < 0 ? flow.length : place
  }
  return [...wanted].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b, 'en', { numeric: true }))
}

function gradientNorm(tensors: Readonly<Record<string, F32Tensor>>): number {
  const gradients = Object.entries(tensors).filter(([name]) => name.startsWith('grad/'))
  return Math.sqrt(gradients.reduce((sum, [, { data }]) => data.reduce((squares, value) => squares + value * value, sum), 0))
}

function compared(name: string, got: Numbers, want: Numbers, tolerance: number): Rung {
  return { name, tolerance, ...closeness(got, want, tolerance) }
}

function scalar(name: string, got: number | undefined, want: number, tolerance: number): Rung {
  return got === undefined
    ? missed(name, 'nothing of this name was computed')
    : compared(name, { data: [got], shape: [] }, { data: [want], shape: [] }, tolerance)
}

function missed(name: string, detail: string): Rung {
  return { name, worst: Number.NaN, tolerance: Number.NaN, ok: false, detail }
}

/** A number is written as [] by some and as [1] by others. */
function flattenScalar(want: F32Tensor, got: F32Tensor): F32Tensor {
  return want.data.length === 1 && got.data.length === 1 ? { data: want.data, shape: got.shape } : want
}

function hasTensor(model: ContextAutoencoder, name: string): boolean {
  return model.tensors.some((tensor) => tensor.name === name)
}

function names<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[]
}

/** The CPU unless CAE_PARITY_DEVICE names another: the tolerances are those of float32 on a CPU. */
function device(): 'cpu' | 'cuda' {
  return process.env.CAE_PARITY_DEVICE === 'cuda' ? 'cuda' : 'cpu'
}
