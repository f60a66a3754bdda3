import type { ByteSource } from './byte-source.js'

/** Bytes left out between two reads that still follow each other: the headers and labels between the images of an archive. */
const gapBytes = 64 * 1024

/** The last block, and the one before it for reads that are a little late. */
const blocksKept = 2

interface Block {
  readonly from: number
  readonly to: number
  bytes: Buffer | Promise<Buffer>
}

/**
 * Reads pieces of a source. Where they follow each other, as they do in sequential order, large blocks are read and the pieces cut from them;
 * other pieces are read by themselves.
 */
export class ReadAhead {
  #blocks: Block[] = []
  /** Where the piece before ended. */
  #end = 0

  constructor(readonly source: ByteSource) {}

  read(offset: number, length: number, signal?: AbortSignal): Buffer | Promise<Buffer> {
    const follows = offset >= this.#end && offset - this.#end <= gapBytes
    this.#end = offset + length
    const block = this.#blocks.find(({ from, to }) => from <= offset && offset + length <= to)
    if (block !== undefined) return cut(block, offset, length)
    const { blockBytes, size } = this.source
    if (!follows || length >= blockBytes || this.#end > size) return this.source.read(offset, length, signal)
    return cut(this.#begin(offset), offset, length)
  }

  /** Without anybody's signal: others wait for the block as well. */
  #begin(from: number): Block {
    const to = Math.min(from + this.source.blockBytes, this.source.size)
    const block: Block = { from, to, bytes: this.source.read(from, to - from) }
    this.#blocks = [block, ...this.#blocks.slice(0, blocksKept - 1)]
    if (block.bytes instanceof Promise) {
      block.bytes.then(
        (bytes) => (block.bytes = bytes),
        () => (this.#blocks = this.#blocks.filter((other) => other !== block)), // the next one tries again
      )
    }
    return block
  }
}

function cut({ from, bytes }: Block, offset: number, length: number): Buffer | Promise<Buffer> {
  const start = offset - from
  if (bytes instanceof Promise) return bytes.then((read) => read.subarray(start, start + length))
  return bytes.subarray(start, start + length)
}
