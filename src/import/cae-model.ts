import type { VitConfig } from '../config/architecture.js'
import { encoderFields } from '../config/model.js'
import { CaeError } from '../errors.js'
import type { CAEConfigInput } from '../methods/cae.js'
import { type CaeNaming, caeNamingOf, fromCaeNaming } from './cae-names.js'
import type { Shapes } from './identify.js'
import type { KeyReport } from './key-report.js'
import { unwrap } from './unwrap.js'

/** A whole Context Autoencoder in a file of its authors' code or of mmpretrain. */
export interface WholeCae {
  readonly naming: CaeNaming
  /** Shapes by our names. */
  readonly shapes: Shapes
  readonly matched: KeyReport['matched']
  /** Copies of the encoder, computed tables, an optimizer. */
  readonly unused: readonly string[]
}

/** Sorts the tensors of a file; undefined where they are no whole Context Autoencoder. */
export function wholeCae(fileShapes: Shapes): WholeCae | undefined {
  const { names, outside } = unwrap(fileShapes.keys())
  const naming = caeNamingOf(names.keys())
  if (naming === undefined) return undefined
  const translate = fromCaeNaming(naming)
  const pairs = [...names].map(([name, original]) => ({ name: translate(name) ?? null, original }))
  const matched = pairs.flatMap(({ name, original }) => (name === null ? [] : [{ name, from: [original] }]))
  return {
    naming,
    shapes: new Map(matched.map(({ name, from: [original = ''] }) => [name, fileShapes.get(original) ?? []])),
    matched,
    unused: [...outside, ...pairs.flatMap(({ name, original }) => (name === null ? [original] : []))],
  }
}

/**
 * Options of the model that such a file holds; masks and the loss's weights it does not tell, they are the defaults.
 * @param where the file, for messages
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the tensors that the sizes are read from are not there
 */
export function caeConfig({ shapes, naming }: WholeCae, encoder: VitConfig, where: string): CAEConfigInput {
  const lacked = ['mask_token', 'pretext_neck.head.weight'].filter((name) => !shapes.has(name))
  if (lacked.length > 0) throw new CaeError('ERR_CAE_CHECKPOINT', { what: `the file has no ${lacked.join(', ')}`, where })
  const blocks = (stack: string) => {
    const numbers = [...shapes.keys()].map((name) => (name.startsWith(`pretext_neck.${stack}.`) ? Number(name.split('.')[2]) : -1))
    return 1 + Math.max(-1, ...numbers)
  }
  const decoderDim = shapes.get('mask_token')?.at(-1) ?? encoder.embedDim
  const [outputs = 0] = shapes.get('pretext_neck.head.weight') ?? []
  const isPixels = outputs === 3 * encoder.patchSize ** 2
  const { layerScaleInit } = encoderFields
  const decoderDepth = blocks('decoder_blocks')
  const hasLayerScale = decoderDepth === 0 ? encoder.layerScaleInit !== 0 : shapes.has('pretext_neck.decoder_blocks.0.gamma_1')
  // CAE v2 is of the second repository alone, and has nothing between regressor and head.
  const isV2 = naming === 'B' && decoderDepth === 0 && !isPixels
  return {
    ...Object.fromEntries(Object.entries(encoder).filter(([name]) => Object.hasOwn(encoderFields, name))),
    layerScaleInit: encoder.layerScaleInit,
    decoderDim,
    decoderHeads: headsOf(decoderDim, encoder),
    decoderLayerScaleInit: hasLayerScale ? layerScaleInit.default : 0,
    regressorDepth: blocks('regressor_blocks'),
    ...(isV2
      ? ({ target: 'latents', latentDim: outputs } as const)
      : ({ decoderDepth, target: isPixels ? 'pixels' : 'tokens', ...(!isPixels && { vocabSize: outputs }) } as const)),
    maskShape: 'random', // a block mask wants a grid large enough for its blocks
  }
}

/** Regressor and decoder have the encoder's heads where they have its width, else the authors' 12 at 768 channels, else 64 channels a head. */
function headsOf(decoderDim: number, { embedDim, numHeads }: VitConfig): number {
  if (decoderDim === embedDim) return numHeads
  const heads = decoderDim === 768 ? 12 : decoderDim / 64
  return Number.isInteger(heads) ? heads : numHeads
}
