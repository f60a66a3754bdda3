import type { DvaeConfig } from '../methods/dvae.js'
import type { LightDvaeConfig } from '../methods/dvae-light.js'
import type { Shapes } from './identify.js'

type Sizes = Pick<DvaeConfig, 'hiddenDim' | 'decoderInputDim' | 'blocksPerGroup' | 'vocabSize'>
type LightSizes = Pick<LightDvaeConfig, 'layout' | 'numLayers' | 'hiddenDim' | 'codebookDim' | 'resBlocks' | 'vocabSize'>
type Rows = [name: string, shape: readonly number[]][]

/**
 * Every tensor of DALL-E's network with its shape (spec/baselines.md 2.3 to 2.5); native/model/dvae.cpp makes the same. Known here so that a file
 * is checked before a network of the sizes that it claims is made.
 */
export function dvaeTensors({ hiddenDim: n, decoderInputDim, blocksPerGroup, vocabSize }: Sizes): Shapes {
  const down = { in: 3, kernel: 7, first: n, widths: [n, 2 * n, 4 * n, 8 * n], out: vocabSize, kernels: [3, 3, 3, 1] }
  const up = { in: vocabSize, kernel: 1, first: decoderInputDim, widths: [8 * n, 4 * n, 2 * n, n], out: 6, kernels: [1, 3, 3, 3] }
  return new Map([...stack('encoder', down, blocksPerGroup), ...stack('decoder', up, blocksPerGroup)])
}

interface Stack {
  readonly in: number
  readonly kernel: number
  /** Width after the first convolution. */
  readonly first: number
  readonly widths: readonly number[]
  readonly out: number
  readonly kernels: readonly number[]
}

function stack(half: string, { in: from, kernel, first, widths, out, kernels }: Stack, blocksPerGroup: number): Rows {
  const conv = (name: string, input: number, output: number, side: number): Rows => [
    [`${half}.blocks.${name}.w`, [output, input, side, side]],
    [`${half}.blocks.${name}.b`, [output]],
  ]
  const rows = conv('input', from, first, kernel)
  let width = first
  for (const [group, wanted] of widths.entries()) {
    for (let block = 1; block <= blocksPerGroup; block++) {
      const name = `group_${group + 1}.block_${block}`
      if (width !== wanted) rows.push(...conv(`${name}.id_path`, width, wanted, 1))
      for (const [at, side] of kernels.entries()) {
        const [input, output] = [at === 0 ? width : wanted / 4, at + 1 === kernels.length ? wanted : wanted / 4]
        rows.push(...conv(`${name}.res_path.conv_${at + 1}`, input, output, side))
      }
      width = wanted
    }
  }
  return [...rows, ...conv('output.conv', width, out, 1)]
}

/** The same for the light network, in either order of its layers (spec/baselines.md 2.7; native/model/dvae_light.cpp). */
export function lightTensors({ layout, numLayers, hiddenDim: dim, codebookDim, resBlocks, vocabSize }: LightSizes): Shapes {
  const after = layout === 'beit' ? [resBlock(dim)] : []
  const middle = layout === 'beit' ? [] : Array.from({ length: resBlocks }, () => resBlock(dim))
  const ascent = middle.length > 0 ? dim : codebookDim // channels that the first transposed convolution takes
  const steps = Array.from({ length: numLayers }, (_, at) => at)
  const encoder = [
    ...steps.flatMap((at) => [convolution('0.', [dim, at === 0 ? 3 : dim, 4, 4]), ...after]),
    ...middle,
    convolution('', [vocabSize, dim, 1, 1]),
  ]
  const decoder = [
    ...(middle.length > 0 ? [convolution('', [dim, codebookDim, 1, 1])] : []),
    ...middle,
    ...steps.flatMap((at) => [convolution('0.', [at === 0 ? ascent : dim, dim, 4, 4], dim), ...after]), // transposed: [in, out, 4, 4]
    convolution('', [3, dim, 1, 1]),
  ]
  const named = (half: string, layers: readonly Rows[]): Rows =>
    layers.flatMap((layer, at) => layer.map(([name, shape]): Rows[number] => [`${half}.${at}.${name}`, shape]))
  return new Map([['codebook.weight', [vocabSize, codebookDim]], ...named('encoder', encoder), ...named('decoder', decoder)])
}

function convolution(prefix: string, shape: readonly number[], channels = shape[0] ?? 0): Rows {
  return [
    [`${prefix}weight`, shape],
    [`${prefix}bias`, [channels]],
  ]
}

function resBlock(dim: number): Rows {
  const sides = { 'net.0.': 3, 'net.2.': 3, 'net.4.': 1 }
  return Object.entries(sides).flatMap(([prefix, side]) => convolution(prefix, [dim, dim, side, side]))
}
