import type { ModelConfig } from '#lib/methods/resolve.js'

/** How the two operands of a product lie in memory, as BLAS writes it: `n` as multiplied, `t` transposed. */
export type ProductLayout = 'nt' | 'nn' | 'tn'

/** One matrix product `[m, k] x [k, n]`, `batch` of them side by side when over 1. */
export interface StepProduct {
  readonly layout: ProductLayout
  readonly batch: number
  readonly m: number
  readonly k: number
  readonly n: number
}

/** Products of one layer: those of the forward pass, and those that its gradients add. */
interface Layer {
  readonly forward: readonly StepProduct[]
  readonly backward: readonly StepProduct[]
}

/** What `stepProducts` reads of a model. */
export type ProductConfig = Pick<
  ModelConfig,
  | 'imageSize'
  | 'patchSize'
  | 'embedDim'
  | 'depth'
  | 'numHeads'
  | 'mlpRatio'
  | 'regressorDepth'
  | 'decoderDepth'
  | 'decoderDim'
  | 'decoderHeads'
  | 'target'
  | 'vocabSize'
  | 'maskCount'
>

/**
 * Every matrix product of one optimizer step of CAE in the order in which a step needs them: forward of encoder, target
 * branch, regressor, decoder and head, then their gradients from the last layer back (spec/cae.md 1).
 * @param batchSize images of the step
 */
export function stepProducts(config: ProductConfig, batchSize: number): StepProduct[] {
  const [height, width] = config.imageSize
  const patches = (height / config.patchSize) * (width / config.patchSize)
  const masked = config.maskCount
  const visible = patches - masked
  const pixels = 3 * config.patchSize ** 2
  const outputs = config.target === 'tokens' ? config.vocabSize : pixels
  const { embedDim, decoderDim } = config
  const wide = { dim: decoderDim, heads: config.decoderHeads, hidden: Math.round(decoderDim * config.mlpRatio), batchSize }
  const narrow = { dim: embedDim, heads: config.numHeads, hidden: Math.round(embedDim * config.mlpRatio), batchSize }
  const projection = (tokens: number) => (decoderDim === embedDim ? [] : [linear(batchSize * (1 + tokens), embedDim, decoderDim)])

  const embed = linear(batchSize * visible, pixels, embedDim)
  const learned: Layer[] = [
    // Pixels need no gradient: of the two backward products only the weight's remains.
    { forward: embed.forward, backward: embed.backward.filter((product) => product.layout === 'tn') },
    ...repeat(config.depth, () => block(1 + visible, narrow)),
    ...projection(visible),
    ...repeat(config.regressorDepth, () => crossBlock(masked, patches, wide)),
    ...repeat(config.decoderDepth, () => block(masked, wide)),
    linear(batchSize * masked, decoderDim, outputs),
  ]
  const target: Layer[] = [
    linear(batchSize * masked, pixels, embedDim),
    ...repeat(config.depth, () => block(1 + masked, narrow)),
    ...projection(masked),
  ]
  return [
    ...target.flatMap((layer) => layer.forward),
    ...learned.flatMap((layer) => layer.forward),
    ...[...learned].reverse().flatMap((layer) => layer.backward),
  ]
}

/** Multiplications and additions of the products together. */
export function flops(products: readonly StepProduct[]): number {
  return products.reduce((sum, { batch, m, k, n }) => sum + 2 * batch * m * k * n, 0)
}

interface BlockSize {
  readonly dim: number
  readonly heads: number
  readonly hidden: number
  readonly batchSize: number
}

function block(tokens: number, size: BlockSize): Layer {
  const rows = size.batchSize * tokens
  return sequence([
    linear(rows, size.dim, 3 * size.dim),
    attention(tokens, tokens, size),
    linear(rows, size.dim, size.dim),
    linear(rows, size.dim, size.hidden),
    linear(rows, size.hidden, size.dim),
  ])
}

/** Regressor block: queries from the masked tokens, keys and values from all (spec/cae.md 1.6). */
function crossBlock(queries: number, keys: number, size: BlockSize): Layer {
  const [queryRows, keyRows] = [size.batchSize * queries, size.batchSize * keys]
  return sequence([
    linear(queryRows, size.dim, size.dim),
    linear(keyRows, size.dim, size.dim),
    linear(keyRows, size.dim, size.dim),
    attention(queries, keys, size),
    linear(queryRows, size.dim, size.dim),
    linear(queryRows, size.dim, size.hidden),
    linear(queryRows, size.hidden, size.dim),
  ])
}

/** `y = x · weightᵀ` and its gradients `dy · weight` and `dyᵀ · x`. */
function linear(rows: number, from: number, to: number): Layer {
  return {
    forward: [{ layout: 'nt', batch: 1, m: rows, k: from, n: to }],
    backward: [
      { layout: 'nn', batch: 1, m: rows, k: to, n: from },
      { layout: 'tn', batch: 1, m: to, k: rows, n: from },
    ],
  }
}

/** Scores and weighted values of every head, and the four products of their gradients. */
function attention(queries: number, keys: number, { dim, heads, batchSize }: BlockSize): Layer {
  const batch = batchSize * heads
  const width = dim / heads
  return {
    forward: [
      { layout: 'nt', batch, m: queries, k: width, n: keys },
      { layout: 'nn', batch, m: queries, k: keys, n: width },
    ],
    backward: [
      { layout: 'tn', batch, m: keys, k: queries, n: width },
      { layout: 'nt', batch, m: queries, k: width, n: keys },
      { layout: 'nn', batch, m: queries, k: keys, n: width },
      { layout: 'tn', batch, m: keys, k: queries, n: width },
    ],
  }
}

function sequence(layers: readonly Layer[]): Layer {
  return {
    forward: layers.flatMap((layer) => layer.forward),
    backward: [...layers].reverse().flatMap((layer) => layer.backward),
  }
}

function repeat<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}
