import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { optionError, unknownName } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import type { EncoderFormat, EncoderWeights, LazyTensor } from '../export/encoder-weights.js'
import { huggingFace } from '../export/hugging-face.js'
import { onnx } from '../export/onnx/write.js'
import { timm } from '../export/timm.js'
import { outputError } from '../io/output-error.js'
import { writeSafetensors } from '../io/safetensors.js'
import { tensorEntries } from '../io/tensor-entries.js'
import type { Encoder } from './encoder.js'
import { ContextAutoencoder } from './model.js'
import { encoderOf, modelOf, type NativeEncoder } from './native-model.js'
import { weightsMetadata } from './weights.js'

const encoderFormats = { timm, huggingface: huggingFace, onnx } as const satisfies Readonly<Record<string, EncoderFormat>>

/** What `exportModel` can write; `cae` is the whole model under the authors' names, the others are its encoder. */
export type ExportFormat = keyof typeof encoderFormats | 'cae'

/** All of them. */
export const exportFormats: readonly ExportFormat[] = [...(Object.keys(encoderFormats) as (keyof typeof encoderFormats)[]), 'cae']

/** Where to and how. */
export interface ExportOptions {
  readonly format: ExportFormat
  /** Folder to write; made if need be. Files of the same names in it are replaced. */
  readonly out: string
}

/** What was written. */
export interface ExportedModel {
  readonly format: ExportFormat
  /** Paths. */
  readonly files: readonly string[]
}

/**
 * Writes a model for other programs: its encoder for timm, Hugging Face transformers or an ONNX runtime, or all of it under the names of the
 * authors' code (spec/cae.md 1.11, naming A), as safetensors. Features there equal `encode` here.
 * @throws {CaeError} ERR_CAE_OPTION for a format that cannot hold this model, ERR_CAE_OUTPUT when a file cannot be written
 * @example
 * await exportModel(await Encoder.load('runs/photos'), { format: 'huggingface', out: 'photos-hf' })
 */
export async function exportModel(model: Encoder | ContextAutoencoder, { format, out }: ExportOptions): Promise<ExportedModel> {
  if (!exportFormats.includes(format)) throw unknownName('format', format, exportFormats)
  if (typeof out !== 'string' || out === '') throw optionError({ what: 'out is missing', todo: "out: 'exported'" })
  const write = format === 'cae' ? wholeWriter(model) : encoderWriter(format, encoderWeights(encoderOf(model)))
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw outputError(out, error)
  })
  const written = await write(out)
  return { format, files: written.map((file) => join(out, file)) }
}

type Writer = (folder: string) => Promise<readonly string[]>

function encoderWriter(format: keyof typeof encoderFormats, encoder: EncoderWeights): Writer {
  const { check, write } = encoderFormats[format]
  check(encoder)
  return (folder) => write(encoder, folder)
}

function wholeWriter(model: Encoder | ContextAutoencoder): Writer {
  if (!(model instanceof ContextAutoencoder)) {
    throw optionError({ what: "format 'cae' is the whole model, this is an encoder", todo: 'ContextAutoencoder.load(path)' })
  }
  const native = modelOf(model)
  const { addon, handle } = native
  // The lagging copy is rebuilt from the encoder when it is loaded; the authors' code strips it too.
  const infos = addon.modelTensors(handle.get()).filter(({ name }) => !name.startsWith('teacher.'))
  const read = (names: readonly string[]) => addon.modelRead(handle.get(), names)
  return async (folder) => {
    await writeSafetensors(join(folder, 'model.safetensors'), tensorEntries(infos, read), weightsMetadata(native))
    return ['model.safetensors']
  }
}

function encoderWeights({ addon, handle, config }: NativeEncoder): EncoderWeights {
  const prefix = 'encoder.'
  const tensors = new Map<string, LazyTensor>()
  for (const { name, shape } of addon.modelTensors(handle.get())) {
    if (!name.startsWith(prefix)) continue
    const read = async () => {
      const [tensor] = await addon.modelRead(handle.get(), [name])
      if (!tensor) throw new CaeError('ERR_CAE_INTERNAL', { what: `the addon gave no tensor ${name}` })
      return tensor.data
    }
    tensors.set(name.slice(prefix.length), { shape, read })
  }
  return { config, tensors }
}
