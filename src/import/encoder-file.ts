import type { VitConfig } from '../config/architecture.js'
import { patchGrid } from '../config/model.js'
import type { Scratch } from '../io/tensor-bytes.js'
import type { TensorFile } from '../io/tensor-file.js'
import type { F32Tensor } from '../native/types.js'
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
   * @param scratch memory that the numbers may come in, until it is cleared
   */
  async read({ name, from }: KeyReport['matched'][number], scratch?: Scratch): Promise<F32Tensor> {
    const pieces: Float32Array[] = []
    for (const piece of from) pieces.push((await this.file.readFloat32(piece, from.length === 1 ? scratch : undefined)).data)
    return this.resampled(name, { data: joined(pieces), shape: encoderTensors(this.source).get(name) ?? [] })
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

  private resampled(name: string, tensor: F32Tensor): F32Tensor {
    const [from, to] = [gridOf(this.source), gridOf(this.config)]
    if (name === 'patch_embed.proj.weight' && this.source.patchSize !== this.config.patchSize) {
      return resampleKernel(tensor, [this.config.patchSize, this.config.patchSize])
    }
    if (from.join() === to.join()) return tensor
    if (name.endsWith('relative_position_bias_table')) return resampleRelative(tensor, from[0], to[0])
    const { positions } = this.origin
    return name === 'pos_embed' ? resamplePositions(tensor, from, to, positions === 'recomputed' ? 'plain' : positions) : tensor
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
