import { readFile } from 'node:fs/promises'

import { SeenContent } from '../data/seen-content.js'
import { writeFileAtomic } from '../io/atomic-write.js'
import { outputError, systemCode } from '../io/output-error.js'

/**
 * What the run's images were when they were first read, from the `content-sums.bin` of its earlier parts: a checksum of 4 bytes an image, in
 * the order of the data set, little endian. A resumed run notices by it what was changed while nobody looked.
 * @param images of the data set
 * @throws {CaeError} ERR_CAE_OUTPUT when the file is there and cannot be read
 */
export async function recallContent(path: string, images: number): Promise<SeenContent> {
  try {
    const bytes = await readFile(path)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return new SeenContent(
      images,
      Uint32Array.from({ length: Math.floor(bytes.length / 4) }, (_, at) => view.getUint32(4 * at, true)),
    )
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return new SeenContent(images)
    throw outputError(path, error)
  }
}

/** Writes the file where something is new. @throws {CaeError} ERR_CAE_OUTPUT */
export async function writeContentSums(path: string, seen: SeenContent): Promise<void> {
  if (!seen.takeChanged()) return
  const { sums } = seen
  await writeFileAtomic(path, async (sink) => {
    for (let from = 0; from < sums.length; from += sumsAtOnce) {
      const some = sums.subarray(from, from + sumsAtOnce)
      const bytes = new DataView(new ArrayBuffer(some.byteLength))
      some.forEach((sum, at) => {
        bytes.setUint32(4 * at, sum, true)
      })
      await sink.write(new Uint8Array(bytes.buffer))
    }
  })
}

/** Sums turned into bytes between two turns of the event loop: a millisecond. */
const sumsAtOnce = 1 << 17
