import type { Layout } from './layout.js'
import type { PositionResampling } from './resample/tables.js'

/** Who wrote a file: the authors of a method, or a library that took it over. */
export type OriginName = 'cae-torch' | 'official' | 'timm' | 'huggingface' | 'openai' | 'mmpretrain'

/** What trained an encoder, as far as its tensors tell. */
export type ForeignMethod =
  | 'cae'
  | 'mae'
  | 'beit'
  | 'data2vec'
  | 'dino'
  | 'dinov2'
  | 'mocov3'
  | 'clip'
  | 'supervised'
  | 'mean-pooled'
  | 'not known'

/** A kind of checkpoint: how it is told from others, and all that its tensors do not say (spec/baselines.md 8). */
export interface Origin {
  readonly origin: OriginName
  readonly method: ForeignMethod
  /** What people call it. */
  readonly title: string
  /** Tensors that this kind has, each of them; names are those of the state dict, without its wrappers. */
  readonly has: readonly RegExp[]
  /** Tensors that it does not have. */
  readonly lacks?: readonly RegExp[]
  /** Whether its state dict lies under a key of its own (`model`) or bare; undefined: either. */
  readonly isWrapped?: boolean
  /** Its encoder's tensors, whose names begin with one of these; default none. */
  readonly prefixes?: readonly string[]
  readonly layout: Layout
  /** Its matrix behind the last norm, into the space of another network's outputs; an encoder does without. */
  readonly projection?: Projection
  /** Names of parts that an encoder does not have: heads, decoders, second networks. */
  readonly unused: RegExp
  /** How its own loader fits positions to another image size; `recomputed` where they are a formula. */
  readonly positions: PositionResampling | 'recomputed'
  /** Pixels' mean and standard deviation. */
  readonly colours: Colours
  readonly layerNormEps: number
  readonly activation: 'gelu' | 'quick-gelu'
  /** Its encoder may end without a LayerNorm, where its head has one. */
  readonly mayLackNorm?: boolean
  /** Heads by width, where they are not one for every 64 channels. */
  readonly heads?: Readonly<Record<number, number>>
}

/** A matrix without bias, outputs first unless it lies transposed. */
export interface Projection {
  readonly name: string
  readonly isTransposed: boolean
}

/** Of each colour channel, of pixels from 0 to 1. */
export interface Colours {
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

export const imagenet: Colours = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
export const halves: Colours = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
export const clipColours: Colours = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] }
