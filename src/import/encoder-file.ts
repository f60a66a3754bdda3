import type { VitConfig } from '../config/architecture.js'
import { patchGrid } from '../config/model.js'
import type { TensorFile } from '../io/tensor-file.js'
import type { F32Tensor, FileValues } from '../native/types.js'
import { encoderTensors } from './encoder-tensors.js'
import type { KeyReport } from './key-report.js'
import type { Origin } from './origin.js'
import { type Grid, resampleKernel, resamplePositions, resampleRelative } from './resample/tables.js'

/** A projection behind the encoder, in the file. */
export interface FoundProjection {
  /** Its name in the file. */
  readonly from: string
  /** Channels that it gives. */
  readonly outputs: number
  readonly isTransposed: boolean
}

type Matched = KeyReport['matched'][number]

/**
 * An encoder in a file of any kind that is known, not yet read: what it is, and its tensors on demand, by our names and in our shapes.
 */
export class EncoderFile implements AsyncDisposable {
  /** Use `openEncoderFile`. */
  constructor(
    private readonly file: TensorFile,
    readonly origin: Origin,
    /** Key or keys of the file that the weights lie under; empty for none. */
    readonly container: string,
    /** The encoder as it lies in the file. */
    readonly source: VitConfig,
    /** The encoder as it is wanted. */
    readonly config: VitConfig,
    readonly report: KeyReport,
    /** What CLIP has behind its encoder; its report counts it as unused. */
    readonly projection: FoundProjection | undefined,
  ) {}

  get path(): string {
    return this.file.path
  }

  get format(): TensorFile['format'] {
    return this.file.format
  }

  /**
   * One tensor of the encoder, put together and resampled.
   * @param matched an entry of the report
   */
  async read({ name, from }: Matched): Promise<F32Tensor> {
    const pieces: Float32Array[] = []
    for (const piece of from) pieces.push((await this.file.readFloat32(piece)).data)
    const tensor = { data: joined(pieces), shape: encoderTensors(this.source).get(name) ?? [] }
    return this.resampling(name)?.(tensor) ?? tensor
  }

  /** Where the values of a tensor of the encoder lie as they are wanted; undefined where they do not, or not in one piece. */
  async locate({ name, from: [piece, ...others] }: Matched): Promise<FileValues | undefined> {
    const isWhole = piece !== undefined && others.length === 0 && !this.resampling(name)
    return isWhole ? this.file.locate(piece) : undefined
  }

  /** The projection's weight `[outputs, D]`; undefined where there is none. */
  async readProjection(): Promise<F32Tensor | undefined> {
    if (!this.projection) return undefined
    const { from, outputs, isTransposed } = this.projection
    const { data } = await this.file.readFloat32(from)
    const shape = [outputs, data.length / outputs]
    return { data: isTransposed ? transposed(data, outputs) : data, shape }
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What makes of a tensor of the file that of the encoder; undefined where they are the same. */
  private resampling(name: string): ((tensor: F32Tensor) => F32Tensor) | undefined {
    const { patchSize } = this.config
    if (name === 'patch_embed.proj.weight' && this.source.patchSize !== patchSize) {
      return (tensor) => resampleKernel(tensor, [patchSize, patchSize])
    }
    const [from, to] = [gridOf(this.source), gridOf(this.config)]
    if (from.join() === to.join()) return undefined
    if (name.endsWith('relative_position_bias_table')) return (tensor) => resampleRelative(tensor, from[0], to[0])
    const { positions } = this.origin
    return name === 'pos_embed'
      ? (tensor) => resamplePositions(tensor, from, to, positions === 'recomputed' ? 'plain' : positions)
      : undefined
  }
}

/** Rows and columns of patches. */
export function gridOf(config: VitConfig): Grid {
  const { gridHeight, gridWidth } = patchGrid(config)
  return [gridHeight, gridWidth]
}

/** A matrix of `columns` columns, row-major, with rows and columns exchanged. */
function transposed(data: Float32Array, columns: number): Float32Array {
  const rows = data.length / columns
  return Float32Array.from(data, (_, at) => data[(at % rows) * columns + Math.floor(at / rows)] ?? 0)
}

function joined(pieces: readonly Float32Array[]): Float32Array {
  const [only] = pieces
  if (only && pieces.length === 1) return only
  const whole = new Float32Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}
