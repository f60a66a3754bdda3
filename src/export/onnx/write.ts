import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { optionError } from '../../config/resolve.js'
import { writeFileAtomic } from '../../io/atomic-write.js'
import { assertPlain, type EncoderWeights } from '../encoder-weights.js'
import { json, preprocessorConfig } from '../hugging-face.js'
import { encoderGraph } from './vit.js'

/** A protocol buffer of more bytes cannot be read. */
const longestFile = 2 ** 31 - 1

/**
 * Writes an encoder as `encoder.onnx` with the preprocessing beside it.
 * @throws {CaeError} ERR_CAE_OPTION for one that is too large for a single ONNX file
 */
export async function exportOnnx(encoder: EncoderWeights, folder: string): Promise<readonly string[]> {
  assertPlain(encoder, 'onnx')
  const metadata = { config: JSON.stringify(encoder.config) }
  const file = encoderGraph(encoder).file({ name: 'encoder', producer: '@cae/torch', version: '', metadata })
  if (file.bytes > longestFile) {
    throw optionError({ what: `the file would have ${file.bytes} bytes, ONNX allows ${longestFile}`, todo: "format: 'huggingface'" })
  }
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, 'encoder.onnx'), async (sink) => {
    for (const piece of file.pieces) await sink.write(piece)
  })
  await writeFileAtomic(join(folder, 'preprocessor_config.json'), json(preprocessorConfig(encoder.config)))
  return ['encoder.onnx', 'preprocessor_config.json']
}
