import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { I32Tensor, ImageTensor, U8Tensor } from '../../../src/native/types.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

const images: ImageTensor = { data: Uint8Array.from({ length: 2 * 3 * 4 * 4 }, (_, i) => i), shape: [2, 3, 4, 4] }
const mask: U8Tensor = { data: Uint8Array.of(0, 1, 1, 0, 1, 0, 0, 1), shape: [2, 4] }
const ids: I32Tensor = { data: Int32Array.of(5, 4, 3, 2, 1, 0, 8191, 7), shape: [2, 4] }

test.each([
  ['bytes, mask and tokens', images, mask, ids],
  ['bytes alone', images, undefined, undefined],
  ['floats with a mask', { data: new Float32Array(96).fill(-0.5), shape: [2, 3, 4, 4] }, mask, undefined],
])('keeps %s as they were given', async (_, given, m, t) => {
  const batch = await addon.createBatch(given, m, t, undefined)
  expect(await addon.readBatch(batch)).toEqual({ images: given, mask: m ?? null, ids: t ?? null, labels: null })
  await addon.dispose(batch)
})

test('copies: what the caller writes afterwards is not seen', async () => {
  const mine = { data: new Uint8Array(48).fill(1), shape: [1, 3, 4, 4] }
  const batch = await addon.createBatch(mine, undefined, undefined, undefined)
  mine.data.fill(2)
  expect((await addon.readBatch(batch)).images.data[0]).toBe(1)
  await addon.dispose(batch)
})

test('a disposed batch is refused', async () => {
  const batch = await addon.createBatch(images, mask, ids, undefined)
  await addon.dispose(batch)
  const read = (async () => addon.readBatch(batch))()
  await expect(read).rejects.toMatchObject({ code: 'ERR_CAE_DISPOSED', message: expect.stringContaining('batch') })
})

test.each([
  ['images of two dimensions', [{ ...images, shape: [24, 4] }, mask, ids], /images is .* \[24, 4\], wanted .*\[B, 3, H, W\]/],
  ['images of one channel', [{ ...images, shape: [6, 1, 4, 4] }, mask, ids], /images is/],
  ['images of integers', [{ data: new Int32Array(96), shape: [2, 3, 4, 4] }, mask, ids], /images is .*wanted uint8 or float32/],
  ['no images', [{ data: new Uint8Array(), shape: [0, 3, 4, 4] }, mask, ids], /images is/],
  ['a shape that is not the data', [{ ...images, shape: [2, 3, 4, 5] }, mask, ids], /images\.shape asks for 120/],
  ['a mask of another batch', [images, { data: new Uint8Array(4), shape: [1, 4] }, ids], /mask is .* \[1, 4\], wanted uint8 \[2, N\]/],
  ['a mask of floats', [images, { data: new Float32Array(8), shape: [2, 4] }, ids], /mask is/],
  ['a mask of twos', [images, { data: new Uint8Array(8).fill(2), shape: [2, 4] }, ids], /mask holds/],
  ['tokens of bytes', [images, mask, { data: new Uint8Array(8), shape: [2, 4] }], /ids is/],
  ['negative tokens', [images, mask, { data: new Int32Array(8).fill(-1), shape: [2, 4] }], /ids holds a negative/],
  ['tokens for another grid', [images, mask, { data: new Int32Array(12), shape: [2, 6] }], /mask is for 4 patches, ids for 6/],
] as const)('refuses %s', async (_, [i, m, t], message) => {
  const made = (async () =>
    addon.createBatch(i as unknown as ImageTensor, m as unknown as U8Tensor, t as unknown as I32Tensor, undefined))()
  await expect(made).rejects.toMatchObject({ code: 'ERR_CAE_SHAPE', message: expect.stringMatching(message) })
})
