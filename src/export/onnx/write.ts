import { join } from 'node:path'
import { optionError } from '../../config/resolve.js'
import { writeFileAtomic } from '../../io/atomic-write.js'
import type { Message } from '../../io/protobuf.js'
import { float32Bytes } from '../../io/tensor-entries.js'
import { assertPlain, type EncoderFormat, type EncoderWeights, readTensors, withJoinedBiases } from '../encoder-weights.js'
import { json, preprocessorConfig } from '../hugging-face.js'
import { encoderGraph } from './vit.js'

/** A protocol buffer of 2 GiB cannot be read; the graph takes some hundred kilobytes beside the weights. */
const largestWeights = 2 ** 31 - 2 ** 24

/** `encoder.onnx`, with the preprocessing beside it. */
export const onnx: EncoderFormat = {
  check(encoder) {
    assertPlain(encoder, 'onnx')
    const bytes = [...encoder.tensors.values()].reduce((sum, tensor) => sum + float32Bytes(tensor), 0)
    if (bytes <= largestWeights) return
    throw optionError({
      what: `the weights take ${bytes} bytes, an ONNX file has room for ${largestWeights}`,
      todo: "format: 'huggingface'",
    })
  },
  async write(encoder, folder) {
    const { pieces } = await fileOf(encoder)
    await writeFileAtomic(join(folder, 'encoder.onnx'), async (sink) => {
      for (const piece of pieces) await sink.write(piece)
    })
    await writeFileAtomic(join(folder, 'preprocessor_config.json'), json(preprocessorConfig(encoder.config)))
    return ['encoder.onnx', 'preprocessor_config.json']
  },
}

async function fileOf(encoder: EncoderWeights): Promise<Message> {
  const lazy = withJoinedBiases(encoder)
  const names = [...lazy.keys()]
  const tensors = await readTensors(lazy, names)
  const weights = new Map(names.flatMap((name, at) => (tensors[at] ? [[name, tensors[at]] as const] : [])))
  const metadata = { config: JSON.stringify(encoder.config) }
  return encoderGraph(encoder.config, weights).file({ name: 'encoder', producer: '@cae/torch', version: '', metadata })
}
