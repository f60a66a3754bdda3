import { patchGrid } from '../config/model.js'
import { optionError, showValue } from '../config/resolve.js'
import type { CAEConfig, CAEConfigInput } from './cae.js'

/**
 * What is predicted instead of pixels. `tokenizer`: the ids that a trained tokenizer gives hidden patches (spec/cae.md 2, 5); a run of
 * `trainTokenizer`, one of its checkpoints or a weights file. `latents`: what a frozen encoder makes of all patches (spec/cae.md 10); whatever
 * `Encoder.load` takes.
 */
export type TargetInput = { readonly tokenizer: string } | { readonly latents: string }

/** What a run's targets come from. */
export interface NamedTarget {
  readonly kind: 'tokenizer' | 'latents'
  readonly path: string
}

/** What resolving a run's options must know of what makes its targets. */
export type TargetFacts =
  | {
      readonly target: 'tokens'
      readonly vocabSize: number
      /** Pixels of an image's side that one id stands for. */
      readonly downsampling: number
    }
  | {
      readonly target: 'latents'
      /** Channels of a latent. */
      readonly latentDim: number
      /** Of the encoder that makes them. */
      readonly imageSize: readonly [number, number]
      readonly patchSize: number
    }

/** A second view of every crop. */
export interface TargetView {
  /** Height and width in pixels. */
  readonly size: readonly [number, number]
  /** How it is resized (spec/cae.md 5.3). */
  readonly interpolation: 'bicubic' | 'lanczos'
}

/**
 * What `target` names; undefined for pixels.
 * @throws {CaeError} ERR_CAE_OPTION for anything else
 */
export function namedTarget(target: unknown): NamedTarget | undefined {
  if (target === undefined || target === null) return undefined
  const [[kind, path] = [], ...others] = typeof target === 'object' ? Object.entries(target) : []
  const isKnown = kind === 'tokenizer' || kind === 'latents'
  if (isKnown && typeof path === 'string' && path !== '' && others.length === 0) return { kind, path }
  throw optionError({
    what: `target is ${showValue(target)}, expected { tokenizer: path } or { latents: path }`,
    todo: "target: { tokenizer: 'runs/tokenizer' }",
  })
}

/** The model's options that its target decides. */
export function targetOptions(facts: TargetFacts): CAEConfigInput {
  const { target } = facts
  return target === 'tokens' ? { target, vocabSize: facts.vocabSize } : { target, latentDim: facts.latentDim }
}

/**
 * What the network that makes the targets sees of every crop: as many ids or tokens as the model has patches.
 * @throws {CaeError} ERR_CAE_OPTION when an encoder of latents cuts its images into another grid than the model
 */
export function targetView(facts: TargetFacts, model: CAEConfig): TargetView {
  const { gridHeight, gridWidth } = patchGrid(model)
  if (facts.target === 'tokens') {
    return { size: [gridHeight * facts.downsampling, gridWidth * facts.downsampling], interpolation: 'lanczos' }
  }
  const tower = patchGrid(facts)
  if (tower.gridHeight === gridHeight && tower.gridWidth === gridWidth) return { size: facts.imageSize, interpolation: 'bicubic' }
  const { patchSize } = model
  const imageSize = `${tower.gridHeight * patchSize}x${tower.gridWidth * patchSize}`
  const other = model.imageSize[0] / tower.gridHeight
  const fits = Number.isInteger(other) && other * tower.gridWidth === model.imageSize[1]
  throw optionError({
    what: `the encoder of target.latents cuts its ${showValue(facts.imageSize)} images into ${tower.gridHeight} x ${tower.gridWidth} patches, the model its ${showValue(model.imageSize)} into ${gridHeight} x ${gridWidth}: every patch wants its latent`,
    todo: [
      `model.imageSize ${imageSize} with patches of ${patchSize}`,
      ...(fits ? [`model.patchSize ${other}`] : []),
      `\`cae-torch import\` of the encoder with --image-size ${gridHeight * facts.patchSize}x${gridWidth * facts.patchSize}`,
    ].join('; or '),
  })
}
