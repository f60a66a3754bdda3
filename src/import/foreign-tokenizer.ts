import { CaeError } from '../errors.js'
import type { TensorFile } from '../io/tensor-file.js'
import type { TokenizerMethodName } from '../methods/registry.js'
import { resolveTokenizer, type TokenizerConfig, type TokenizerInput } from '../methods/resolve.js'
import type { F32Tensor, FileValues } from '../native/types.js'
import type { Shapes } from './identify.js'
import { enumerate } from './key-report.js'
import { dvaeTensors, lightTensors } from './tokenizer-tensors.js'
import { unwrap } from './unwrap.js'

/** Who wrote a tokenizer's file: OpenAI (DALL-E), or the code of lucidrains/DALLE-pytorch and BEiT's copy of it. */
export type TokenizerOrigin = 'openai' | 'dalle-pytorch'

/** A tokenizer of others in open files, not yet read: what it is, and its tensors by our names. */
export interface ForeignTokenizer {
  readonly origin: TokenizerOrigin
  /** What people call it. */
  readonly title: string
  readonly method: TokenizerMethodName
  readonly config: TokenizerConfig
  /** Whether the decoder is there, which makes images of ids. */
  readonly hasDecoder: boolean
  readonly shapes: Shapes
  /** As `TensorFile` does. */
  locate(name: string): Promise<FileValues | undefined>
  read(name: string): Promise<F32Tensor>
}

/** Where a tensor lies. */
interface Place {
  readonly file: TensorFile
  readonly original: string
  readonly shape: readonly number[]
}

type Places = ReadonlyMap<string, Place>

/**
 * Recognises a tokenizer that others have trained, by the names and shapes of its tensors (spec/baselines.md 2.5, 2.7).
 * @param files one that holds all of it, or DALL-E's two: whole pickled modules or their state dicts
 * @returns undefined where it is none
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it is one, but not all of it or more, with the report of its keys
 */
export function foreignTokenizer(files: readonly TensorFile[]): ForeignTokenizer | undefined {
  const places = gather(files)
  const where = files.map(({ path }) => path).join(', ')
  const found = dalle(places) ?? light(places, files)
  if (found === undefined) return undefined
  const { wanted, ...tokenizer } = describe(found, where)
  assertSameKeys(places, wanted, { where, hasDecoder: tokenizer.hasDecoder })
  const placeOf = (name: string): Place => {
    const place = places.get(name)
    if (place) return place
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: `there is no tensor ${JSON.stringify(name)}`, where })
  }
  return {
    ...tokenizer,
    shapes: new Map([...places].map(([name, { shape }]) => [name, shape])),
    async locate(name) {
      const { file, original } = placeOf(name)
      return file.locate(original)
    },
    async read(name) {
      const { file, original } = placeOf(name)
      return file.readFloat32(original)
    },
  }
}

/** All tensors by our names. DALL-E's halves each call theirs `blocks...`: the kernel of the first convolution tells which is which. */
function gather(files: readonly TensorFile[]): Places {
  const places = new Map<string, Place>()
  for (const file of files) {
    const { names } = unwrap(file.tensors.keys())
    const first = file.tensors.get(names.get('blocks.input.w') ?? '')?.shape.at(-1)
    const half = first === undefined ? '' : first === 1 ? 'decoder.' : 'encoder.'
    for (const [name, original] of names) {
      const ours = half + name
      const before = places.get(ours)
      if (before) {
        const what = `two files have the same half of a tokenizer: both hold ${ours}`
        throw new CaeError('ERR_CAE_CHECKPOINT', { what, where: `${before.file.path}, ${file.path}` })
      }
      places.set(ours, { file, original, shape: file.tensors.get(original)?.shape ?? [] })
    }
  }
  return places
}

/** What the shapes say; none of it is checked. */
interface Claim {
  readonly origin: TokenizerOrigin
  readonly title: string
  readonly method: TokenizerMethodName
  readonly sizes: object
  readonly hasDecoder: boolean
}

function dalle(places: Places): Claim | undefined {
  const size = (name: string, axis: number) => places.get(name)?.shape[axis]
  const [hasEncoder, hasDecoder] = [places.has('encoder.blocks.input.w'), places.has('decoder.blocks.input.w')]
  if (!hasEncoder && !hasDecoder) return undefined
  if (!hasEncoder) {
    const [{ file } = { file: { path: '' } }] = [...places.values()]
    throw new CaeError('ERR_CAE_CHECKPOINT', {
      what: "this is the decoder of DALL-E's tokenizer alone, which makes no ids",
      where: file.path,
      todo: 'a folder with encoder.pkl and decoder.pkl, or encoder.pkl',
    })
  }
  return {
    origin: 'openai',
    title: hasDecoder ? "DALL-E's tokenizer" : "DALL-E's tokenizer, encoder alone",
    method: 'dvae',
    sizes: {
      preset: 'dvae-dalle',
      hiddenDim: size('encoder.blocks.input.w', 0),
      vocabSize: size('encoder.blocks.output.conv.w', 0),
      blocksPerGroup: count(places, /^encoder\.blocks\.group_1\.block_(\d+)\.res_path\.conv_1\.w$/),
      ...(hasDecoder && { decoderInputDim: size('decoder.blocks.input.w', 0) }),
    },
    hasDecoder,
  }
}

function light(places: Places, files: readonly TensorFile[]): Claim | undefined {
  const [vocabSize, codebookDim] = places.get('codebook.weight')?.shape ?? []
  if (vocabSize === undefined || !places.has('encoder.0.0.weight')) return undefined
  // The two orders differ in what follows the first convolution, and with one layer alone in how the decoder begins.
  const isBeit = places.has('encoder.1.net.0.weight') && !places.has('decoder.0.weight')
  return {
    origin: 'dalle-pytorch',
    title: `light discrete VAE, ${isBeit ? "BEiT's layers" : "lucidrains/DALLE-pytorch's layers"}`,
    method: 'dvae-light',
    sizes: {
      preset: 'light-beit',
      layout: isBeit ? 'beit' : 'original',
      vocabSize,
      codebookDim,
      hiddenDim: places.get('encoder.0.0.weight')?.shape[0],
      numLayers: count(places, /^encoder\.(\d+)\.0\.weight$/),
      ...(!isBeit && { resBlocks: count(places, /^encoder\.(\d+)\.net\.0\.weight$/) }),
      ...imageSizeOf(files),
    },
    hasDecoder: true,
  }
}

/** lucidrains' training code keeps its options beside the weights. */
function imageSizeOf(files: readonly TensorFile[]): { imageSize?: number } {
  const [file] = files
  const hparams = file && 'extras' in file ? (file.extras as Readonly<Record<string, unknown>>).hparams : undefined
  const size = typeof hparams === 'object' && hparams !== null && 'image_size' in hparams ? hparams.image_size : undefined
  return typeof size === 'number' ? { imageSize: size } : {}
}

function count(places: Places, pattern: RegExp): number {
  return [...places.keys()].filter((name) => pattern.test(name)).length
}

type Described = Omit<ForeignTokenizer, 'locate' | 'read' | 'shapes'> & { readonly wanted: Shapes }

/** Makes a configuration of what the shapes say. */
function describe({ sizes, method, ...claim }: Claim, where: string): Described {
  try {
    const { config } = resolveTokenizer({ averageDecay: 0, ...sizes } as TokenizerInput, method)
    const wanted = 'codebookDim' in config ? lightTensors(config) : dvaeTensors(config)
    return { ...claim, method, config, wanted }
  } catch (cause) {
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: `${claim.title}, of sizes that cannot be made here`, where }, { cause })
  }
}

/** Refuses a file that has not exactly the tensors of its network, all problems at once, before anything is read. */
function assertSameKeys(places: Places, all: Shapes, { where, hasDecoder }: { where: string; hasDecoder: boolean }): void {
  const wanted = new Map([...all].filter(([name]) => hasDecoder || !name.startsWith('decoder.')))
  const missing = [...wanted.keys()].filter((name) => !places.has(name))
  const unexpected = [...places].filter(([name]) => !wanted.has(name)).map(([, { original }]) => original)
  const misshapen = [...wanted].flatMap(([name, shape]) => {
    const found = places.get(name)?.shape
    return found === undefined || found.join() === shape.join()
      ? []
      : [`${name} has the shape [${found.join(', ')}], wanted is [${shape.join(', ')}]`]
  })
  const problems = [
    ...(misshapen.length > 0 ? [enumerate(misshapen)] : []),
    ...(missing.length > 0 ? [`it lacks ${enumerate(missing)}`] : []),
    ...(unexpected.length > 0 ? [`nothing is known about its ${enumerate(unexpected)}`] : []),
  ]
  if (problems.length === 0) return
  const matched = wanted.size - missing.length - misshapen.length
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `the weights do not make a tokenizer: ${matched} of ${wanted.size} tensors match; ${problems.join('; ')}`,
    where,
  })
}
