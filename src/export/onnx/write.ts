import { join } from 'node:path'
import { optionError } from '../../config/resolve.js'
import { writeFileAtomic } from '../../io/atomic-write.js'
import type { Message } from '../../io/protobuf.js'
import { assertPlain, type EncoderFormat, type EncoderWeights } from '../encoder-weights.js'
import { json, preprocessorConfig } from '../hugging-face.js'
import { encoderGraph } from './vit.js'

/** A protocol buffer of more bytes cannot be read. */
const longestFile = 2 ** 31 - 1

/** `encoder.onnx`, with the preprocessing beside it. */
export const onnx: EncoderFormat = {
  check(encoder) {
    assertPlain(encoder, 'onnx')
    const { bytes } = fileOf(encoder)
    if (bytes <= longestFile) return
    throw optionError({ what: `the file would have ${bytes} bytes, ONNX allows ${longestFile}`, todo: "format: 'huggingface'" })
  },
  async write(encoder, folder) {
    await writeFileAtomic(join(folder, 'encoder.onnx'), async (sink) => {
      for (const piece of fileOf(encoder).pieces) await sink.write(piece)
    })
    await writeFileAtomic(join(folder, 'preprocessor_config.json'), json(preprocessorConfig(encoder.config)))
    return ['encoder.onnx', 'preprocessor_config.json']
  },
}

function fileOf(encoder: EncoderWeights): Message {
  const metadata = { config: JSON.stringify(encoder.config) }
  return encoderGraph(encoder).file({ name: 'encoder', producer: '@cae/torch', version: '', metadata })
}
