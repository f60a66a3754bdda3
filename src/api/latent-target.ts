import { createHash } from 'node:crypto'

import { importFields } from '../config/import.js'
import { resolveFields } from '../config/resolve.js'
import { CaeError } from '../errors.js'
import type { EncoderFile } from '../import/encoder-file.js'
import { openEncoderFile } from '../import/open-encoder.js'
import { projectionName } from '../import/own-file.js'
import type { F32Tensor } from '../native/types.js'
import { createNativeEncoder } from './native-model.js'
import type { RunTarget } from './run-target.js'
import { findWeights } from './weights.js'

/**
 * The frozen encoder, or tower, whose latents a run predicts (spec/cae.md 10.3): CLIP's with its projection, any other's tokens as `Encoder.encode`
 * gives them. It sees images of its own size, normalised its own way, and works in fp32.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is none at that path; ERR_CAE_OPTION when the file alone does not tell what it is
 */
export async function findTower(path: string): Promise<RunTarget> {
  await using file = await openTower(path)
  const { imageSize, patchSize, embedDim } = file.config
  return {
    facts: { target: 'latents', latentDim: file.projection?.outputs ?? embedDim, imageSize, patchSize },
    async open(addon, device) {
      await using opened = await openTower(path)
      const { handle } = await createNativeEncoder(opened.config, device, opened.projection?.outputs)
      try {
        const hash = createHash('sha256').update(JSON.stringify(opened.config))
        for await (const [name, tensor] of tensorsOf(opened)) {
          hash.update(`${name} ${tensor.shape}`).update(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength))
          await addon.modelWrite(handle.get(), [name], [tensor])
        }
        return {
          identity: { tower: { path, sha256: hash.digest('hex') } },
          complete: (batch) => addon.addLatents(handle.get(), batch),
          [Symbol.asyncDispose]: () => handle.dispose(),
        }
      } catch (error) {
        await handle.dispose()
        throw error
      }
    },
  }
}

/** As the file has it. What it does not tell, heads or an image size, an import of it is told. */
async function openTower(path: string): Promise<EncoderFile> {
  const file = await findWeights(path)
  try {
    return await openEncoderFile(file, resolveFields(importFields, []).values)
  } catch (error) {
    if (!(error instanceof CaeError) || error.code !== 'ERR_CAE_OPTION') throw error
    const todo = `${error.parts.todo} to \`cae-torch import ${path} --out DIR\`, then target: { latents: DIR }`
    throw new CaeError('ERR_CAE_OPTION', { ...error.parts, where: error.parts.where ?? file, todo }, { cause: error })
  }
}

/** Everything that the native side has, by its names there. */
async function* tensorsOf(file: EncoderFile): AsyncGenerator<[name: string, tensor: F32Tensor]> {
  for (const matched of file.report.matched) yield [`encoder.${matched.name}`, await file.read(matched)]
  const projection = await file.readProjection()
  if (projection) yield [projectionName, projection]
}
