import { existsSync, readFileSync } from 'node:fs'

import type { openSafetensors } from '../../src/io/safetensors.js'
import type { CAEConfigInput } from '../../src/methods/cae.js'
import type { F32Tensor, I32Tensor, U8Tensor } from '../../src/native/types.js'

/** Losses of one optimizer step of the reference. */
export interface TraceStep {
  readonly loss: number
  readonly loss_main: number
  readonly loss_align: number
  readonly grad_norm: number
  readonly acc: number
}

export type TargetWeights = 'lagged' | 'shared'

/** A file of reference tensors with the JSON beside it: a model, a batch, and what the reference made of them. */
export interface Golden {
  readonly path: string
  readonly config: CAEConfigInput
  readonly image: F32Tensor
  readonly ids: I32Tensor
  /** One `[B, N]` mask for each optimizer step; the first is that of all other tensors. */
  readonly masks: readonly U8Tensor[]
  /** The ids of hidden patches in the order of the logits, where the file has them. */
  readonly labels: I32Tensor | undefined
  /** Start weights by name. */
  readonly weights: Readonly<Record<string, F32Tensor>>
  /** Every tensor to compare with, by its key in the file: `mid/...`, `out/...`, `grad/...`, `final_.../...`. */
  readonly wanted: ReadonlyMap<string, F32Tensor>
  readonly step0: Readonly<Record<string, number>>
  readonly optimizer: {
    readonly beta1: number
    readonly beta2: number
    readonly eps: number
    readonly weightDecay: number
    readonly clipNorm: number
  }
  /** Learning rate of each step. */
  readonly lr: readonly number[]
  readonly trace: Readonly<Partial<Record<TargetWeights, readonly TraceStep[]>>>
}

/** A golden file that cannot be used: says which file, and what it lacks. */
export class GoldenError extends Error {
  override readonly name = 'GoldenError'
}

const comparedKeys = /^(mid|out|grad|final_[^/]+)\//

/**
 * Reads `X.safetensors` and `X.json`.
 * @throws {GoldenError} when one of them is not there or lacks something
 */
export async function readGolden(path: string, open: typeof openSafetensors): Promise<Golden> {
  const json = readJson(path)
  await using file = await open(path)
  const float = async (key: string): Promise<F32Tensor> => {
    if (!file.tensors.has(key)) throw new GoldenError(`${path} has no tensor ${key}`)
    return file.readFloat32(key)
  }
  const whole = async (key: string): Promise<{ data: Int32Array; shape: readonly number[] }> => {
    if (!file.tensors.has(key)) throw new GoldenError(`${path} has no tensor ${key}`)
    const { data, shape } = await file.read(key)
    return { data: Int32Array.from(data as ArrayLike<number | bigint>, Number), shape }
  }
  const named = async (prefix: string) => {
    const keys = [...file.tensors.keys()].filter((key) => key.startsWith(prefix))
    return Promise.all(keys.map(async (key) => [key.slice(prefix.length), await float(key)] as const))
  }
  const weights = Object.fromEntries(await named('param/'))
  if (Object.keys(weights).length === 0) throw new GoldenError(`${path} has no weights: nothing in it is called param/NAME`)
  const wanted = [...file.tensors.keys()].filter((key) => comparedKeys.test(key))
  const numbers = json.object('optimizer')
  const betas = numbers.list('betas', 2)
  return {
    path,
    config: modelConfig(json),
    image: await float('in/image'),
    ids: await whole('in/token_ids'),
    masks: rows(await whole('in/masks'), path),
    labels: file.tensors.has('in/labels_step0') ? await whole('in/labels_step0') : undefined,
    weights,
    wanted: new Map(await Promise.all(wanted.map(async (key) => [key, await float(key)] as const))),
    step0: json.object('step0').numbers(),
    optimizer: {
      beta1: betas[0] ?? 0,
      beta2: betas[1] ?? 0,
      eps: numbers.number('eps'),
      weightDecay: numbers.number('weight_decay'),
      clipNorm: numbers.number('clip_grad'),
    },
    lr: numbers.list('lr'),
    trace: Object.fromEntries(Object.entries(json.object('trace').value)) as Golden['trace'],
  }
}

/** Our configuration from the reference's keys; what they do not mention is the same in every golden file. */
function modelConfig(json: JsonObject): CAEConfigInput {
  const c = json.object('config')
  const [height = 0, width = 0] = c.list('img', 2)
  return {
    imageSize: [height, width],
    patchSize: c.number('patch'),
    embedDim: c.number('dim'),
    depth: c.number('depth'),
    numHeads: c.number('heads'),
    mlpRatio: 4,
    layerNormEps: 1e-6,
    layerScaleInit: c.number('ls'),
    dropPath: 0,
    positions: 'reference',
    decoderDim: c.number('dec_dim'),
    decoderHeads: c.number('dec_heads'),
    decoderLayerScaleInit: c.number('dec_ls'),
    regressorDepth: c.number('reg_depth'),
    decoderDepth: c.number('dec_depth'),
    target: 'tokens',
    vocabSize: c.number('vocab'),
    alignWeight: json.number('align_weight'),
    maskShape: 'random', // masks are given: how others would be drawn does not matter
    maskCount: c.number('num_mask'),
  }
}

function rows({ data, shape }: { data: Int32Array; shape: readonly number[] }, path: string): U8Tensor[] {
  const [steps = 0, batch = 0, patches = 0] = shape
  if (shape.length !== 3) throw new GoldenError(`${path}: in/masks has the shape [${shape}], wanted is [steps, B, N]`)
  const size = batch * patches
  return Array.from({ length: steps }, (_, t) => ({
    data: Uint8Array.from(data.subarray(t * size, (t + 1) * size)),
    shape: [batch, patches],
  }))
}

/** Reads fields of a JSON object, naming the one that is wrong. */
class JsonObject {
  constructor(
    readonly value: Readonly<Record<string, unknown>>,
    private readonly where: string,
  ) {}

  object(key: string): JsonObject {
    const found = this.value[key]
    if (typeof found === 'object' && found !== null && !Array.isArray(found))
      return new JsonObject(found as Record<string, unknown>, `${this.where}.${key}`)
    throw new GoldenError(`${this.where} has no object "${key}"`)
  }

  number(key: string): number {
    const found = this.value[key]
    if (typeof found === 'number') return found
    throw new GoldenError(`${this.where} has no number "${key}"`)
  }

  list(key: string, length?: number): readonly number[] {
    const found = this.value[key]
    if (Array.isArray(found) && found.every((n) => typeof n === 'number') && (length ?? found.length) === found.length) return found
    throw new GoldenError(`${this.where} has no list of ${length ?? 'any number of'} numbers "${key}"`)
  }

  numbers(): Record<string, number> {
    return Object.fromEntries(Object.keys(this.value).map((key) => [key, this.number(key)]))
  }
}

function readJson(path: string): JsonObject {
  const beside = path.replace(/\.safetensors$/, '.json')
  if (!path.endsWith('.safetensors')) throw new GoldenError(`${path} is no .safetensors file`)
  if (!existsSync(beside)) throw new GoldenError(`${beside} is missing: it holds the sizes and the trace of ${path}`)
  let value: unknown
  try {
    value = JSON.parse(readFileSync(beside, 'utf8'))
  } catch (cause) {
    throw new GoldenError(`${beside} is no JSON: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new GoldenError(`${beside} is no JSON object`)
  return new JsonObject(value as Record<string, unknown>, beside)
}
