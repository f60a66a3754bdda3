import { maskSpec, patchGrid } from '../config/model.js'
import { optionError } from '../config/resolve.js'
import { TimeSlice } from '../data/time-slice.js'
import { CaeError } from '../errors.js'
import type { TokenizerConfig } from '../methods/resolve.js'
import type { F32Tensor, I32Tensor, ModelHandle, U8Tensor } from '../native/types.js'
import { assertWhole, modelOf, type NativeModel } from './native-model.js'
import type { Reconstruction, ReconstructOptions } from './reconstruct.js'
import { createBatch, type Images } from './tensors.js'

/**
 * What a model predicts of images in tokens, as the tokenizer's decoder draws it (spec/cae.md 9.1): the predicted ids in place of the hidden
 * patches' own, or all ids predicted from the encoder's output alone. Everything is compared with the tokenizer's drawing of the images' own ids:
 * what no prediction can pass.
 */
export async function reconstructTokens(
  native: NativeModel,
  model: ModelHandle,
  images: Images,
  { path = 'masked', seed = 0, mask: given, tokenizer }: ReconstructOptions,
): Promise<Reconstruction> {
  const { addon, config } = native
  if (!tokenizer) {
    throw optionError({
      what: 'this model predicts tokens, whose pictures its tokenizer draws',
      todo: "reconstruct(images, { tokenizer: await Tokenizer.load('runs/tokenizer') })",
    })
  }
  const codes = modelOf<TokenizerConfig>(tokenizer)
  assertWhole(codes)
  const side = codes.method.downsampling?.(codes.config) ?? 1
  const { gridHeight, gridWidth } = patchGrid(config)
  const isMasked = path === 'masked'
  const draw = isMasked ? { spec: maskSpec(config), seed, time: 0 } : undefined
  await using batch = await createBatch(addon, { images, mask: isMasked ? given : undefined }, config, draw)
  await using view = await createBatch(addon, { images }, { ...codes.input, imageSize: [gridHeight * side, gridWidth * side] })
  const wanted = await addon.tokenizerEncode(codes.handle.get(), view.get())
  const logits = await addon.modelReconstruct(model, batch.get(), path)
  const mask = isMasked ? (await addon.readBatch(batch.get())).mask : null
  const { ids, hits, count } = await predictedIds(logits, wanted, mask)
  const drawn = await addon.tokenizerDecode(codes.handle.get(), ids)
  const original = await addon.tokenizerDecode(codes.handle.get(), wanted)
  const mse = await squaredError(drawn, original, mask, { side, gridWidth })
  return { images: drawn, original, mask, mse, psnr: 10 * Math.log10(1 / mse), accuracy: hits / count }
}

/** The tokenizer's ids, with the model's most probable ones in the places that were predicted. @param logits rows of V, place by place */
async function predictedIds(
  logits: F32Tensor,
  wanted: I32Tensor,
  mask: U8Tensor | null,
): Promise<{ ids: I32Tensor; hits: number; count: number }> {
  const vocabSize = logits.shape.at(-1) ?? 0
  const ids = Int32Array.from(wanted.data)
  const slice = new TimeSlice()
  let hits = 0
  let row = 0
  for (let place = 0; place < ids.length; place++) {
    if (mask && mask.data[place] === 0) continue
    const best = argmax(logits.data.subarray(row * vocabSize, (row + 1) * vocabSize))
    if (best === ids[place]) hits++
    ids[place] = best
    row++
    await slice.rest()
  }
  if (row * vocabSize !== logits.data.length) {
    throw new CaeError('ERR_CAE_INTERNAL', { what: `${logits.data.length / vocabSize} predictions for ${row} places` })
  }
  return { ids: { data: ids, shape: wanted.shape }, hits, count: row }
}

/** Place of the largest value, the first of equals. */
function argmax(values: Float32Array): number {
  let best = 0
  for (let at = 1; at < values.length; at++) if ((values[at] ?? 0) > (values[best] ?? 0)) best = at
  return best
}

/** Mean over the pixels of the predicted places. */
async function squaredError(
  drawn: F32Tensor,
  original: F32Tensor,
  mask: U8Tensor | null,
  { side, gridWidth }: { readonly side: number; readonly gridWidth: number },
): Promise<number> {
  const [batch = 0, , height = 0, width = 0] = drawn.shape
  const places = (height / side) * gridWidth
  const slice = new TimeSlice()
  let [sum, count] = [0, 0]
  for (let plane = 0; plane < batch * 3; plane++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const place = Math.floor(plane / 3) * places + Math.floor(y / side) * gridWidth + Math.floor(x / side)
        if (mask && mask.data[place] === 0) continue
        const at = (plane * height + y) * width + x
        sum += ((drawn.data[at] ?? 0) - (original.data[at] ?? 0)) ** 2
        count++
      }
    }
    await slice.rest()
  }
  return sum / count
}
