import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import type { DeviceName } from '../config/train.js'
import { CaeError } from '../errors.js'
import { foreignTokenizer, type TokenizerOrigin } from '../import/foreign-tokenizer.js'
import { metadataOf } from '../import/own-file.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import { type TokenizerMethodName, tokenizers } from '../methods/registry.js'
import type { TokenizerConfig } from '../methods/resolve.js'
import { createNativeModel, type NativeModel } from './native-model.js'
import { findWeights, sourceOf, tokenizerOfFile, type WeightSource } from './weights.js'

/** A tokenizer in open files, not loaded yet. */
export interface TokenizerSource extends AsyncDisposable {
  /** The file that ids depend on. */
  readonly path: string
  readonly origin: 'cae-torch' | TokenizerOrigin
  /** What people call it. */
  readonly title: string
  readonly method: TokenizerMethodName
  readonly config: TokenizerConfig
  /** Whether it can make images of ids. */
  readonly hasDecoder: boolean
  readonly files: readonly TensorFile[]
  readonly weights: WeightSource
}

/**
 * Opens the tokenizer at a path: of a run, a checkpoint folder or a file of ours; DALL-E's `encoder.pkl`, by itself or in a folder with
 * `decoder.pkl`; or a checkpoint of the light one in the code of lucidrains or BEiT. All of it is there, or it is refused.
 * @returns undefined where the file is of something else
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none, it is damaged, or its tensors are not those of its network
 */
export async function openTokenizer(path: string): Promise<TokenizerSource | undefined> {
  const files: TensorFile[] = []
  const close = async () => {
    for (const file of files) await file.close()
  }
  try {
    for (const file of await filesOf(path)) files.push(await openTensorFile(file))
    const found = recognise(files)
    if (found) return { ...found, files, [Symbol.asyncDispose]: close }
    await close()
    return undefined
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * As `openTokenizer`, where nothing else will do.
 * @throws {CaeError} ERR_CAE_CHECKPOINT for a file of something else, too
 */
export async function requireTokenizer(path: string): Promise<TokenizerSource> {
  const found = await openTokenizer(path)
  if (found) return found
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: 'the weights are not of a tokenizer that is known here',
    where: path,
    todo: "a run of `cae-torch tokenizer train`, DALL-E's encoder.pkl or a folder with its decoder.pkl, or a checkpoint of the light discrete VAE",
  })
}

/**
 * Makes the network for a tokenizer's weights, which are not loaded yet.
 * @throws {CaeError} ERR_CAE_NO_LIBTORCH, ERR_CAE_DEVICE, ERR_CAE_OUT_OF_MEMORY
 */
export async function createNativeTokenizer(source: TokenizerSource, device: DeviceName): Promise<NativeModel<TokenizerConfig>> {
  const native = await createNativeModel(source.config, { method: source.method, device, seed: 0 })
  if (source.hasDecoder) return native
  const drawn = native.addon.modelTensors(native.handle.get()).map(({ name }) => name)
  return { ...native, lacking: new Set(drawn.filter((name) => name.startsWith('decoder.'))) }
}

/** The file of weights, and beside the encoder that a folder holds, its decoder. */
async function filesOf(path: string): Promise<string[]> {
  const file = await findWeights(path)
  const decoder = join(dirname(file), 'decoder.pkl')
  const isPair = file !== path && basename(file) === 'encoder.pkl' && (await stat(decoder).catch(() => undefined)) !== undefined
  return isPair ? [file, decoder] : [file]
}

function recognise(files: readonly TensorFile[]): Omit<TokenizerSource, 'files' | typeof Symbol.asyncDispose> | undefined {
  const [file] = files
  if (!file) return undefined
  const path = file.path
  const { config: described, method: kind = '' } = metadataOf(file)
  if (described === undefined) {
    const found = foreignTokenizer(files)
    return found && { ...found, path, weights: { path, shapes: found.shapes, locate: found.locate, read: found.read } }
  }
  if (!Object.hasOwn(tokenizers, kind)) return undefined
  const { method, config } = tokenizerOfFile(file)
  const hasDecoder = [...file.tensors.keys()].some((name) => name.startsWith('decoder.'))
  const title = `${method}, ${hasDecoder ? 'whole tokenizer' : "a tokenizer's encoder"}`
  return { origin: 'cae-torch', title, method, config, hasDecoder, path, weights: sourceOf(file) }
}
