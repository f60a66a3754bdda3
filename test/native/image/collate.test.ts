import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { BatchTensors, CollateSpec, DecodedSample } from '../../../src/native/types.js'
import { RngStream } from '../../../src/rng.js'
import { drawImage } from '../../support/images.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

const plain: CollateSpec = {
  seed: 11,
  epoch: 2,
  height: 16,
  width: 16,
  crop: 'none',
  scaleMin: 0.08,
  scaleMax: 1,
  ratioMin: 3 / 4,
  ratioMax: 4 / 3,
  viewHeight: 0,
  viewWidth: 0,
  viewInterpolation: 'bicubic',
  resizeShort: 16,
  flip: 0,
  interpolation: 'bicubic',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  mask: null,
}
const random: CollateSpec = {
  ...plain,
  crop: 'random',
  flip: 0.5,
  mask: { shape: 'block', gridHeight: 4, gridWidth: 4, count: 7, minBlock: 2, maxBlock: 0 },
}

function sample(index: number, width = 24, height = width): DecodedSample {
  return { ...drawImage(index, width, height), index, label: index % 10 }
}

async function collate(samples: readonly DecodedSample[], spec: CollateSpec): Promise<BatchTensors> {
  const batch = await addon.collate(samples, spec)
  try {
    return await addon.readBatch(batch)
  } finally {
    await addon.dispose(batch)
  }
}

/** Bytes `[3, H, W]` of image `i` of a batch that was made with mean 0 and std 1. */
function bytes({ images }: BatchTensors, i = 0): number[] {
  const size = images.data.length / (images.shape[0] ?? 1)
  return [...images.data.subarray(i * size, (i + 1) * size)].map((value) => Math.round(255 * value))
}

/** Planes of an interleaved image, or of a part of it. */
function planes({ data, width }: DecodedSample, [top, left, height, wide]: readonly number[]): number[] {
  const [t = 0, l = 0, h = 0, w = 0] = [top, left, height, wide]
  return Array.from({ length: 3 * h * w }, (_, i) => {
    const [c, y, x] = [Math.floor(i / (h * w)), Math.floor((i % (h * w)) / w), i % w]
    return data[3 * ((t + y) * width + l + x) + c] ?? -1
  })
}

test('normalises to (v / 255 - mean) / std in float32, channel by channel', async () => {
  const image = sample(3, 16)
  const spec = { ...plain, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
  const { images, mask, ids, labels } = await collate([image], spec)
  const f = Math.fround
  const wanted = planes(image, [0, 0, 16, 16]).map((v, i) => {
    const c = Math.floor(i / 256)
    return f(f(f(v / 255) - f(spec.mean[c] ?? 0)) / f(spec.std[c] ?? 1))
  })
  expect(images.shape).toEqual([1, 3, 16, 16])
  expect([...images.data]).toEqual(wanted)
  expect([mask, ids, labels && [...labels.data]]).toEqual([null, null, [3]])
})

test('what a sample becomes does not depend on its batch, its place or the other samples', async () => {
  const samples = Array.from({ length: 23 }, (_, i) => sample(i, 20 + i, 43 - i))
  const together = await collate(samples, random)
  const size = 3 * 16 * 16
  for (const split of [1, 4, 9]) {
    for (let from = 0; from < samples.length; from += split) {
      const part = await collate(samples.slice(from, from + split).reverse(), random)
      const count = Math.min(split, samples.length - from)
      for (let i = 0; i < count; i++) {
        const place = from + count - 1 - i
        const row = <T extends { data: ArrayLike<number> & { subarray(a: number, b: number): unknown } }>(
          t: T | null,
          at: number,
          n: number,
        ) => t?.data.subarray(at * n, (at + 1) * n)
        expect(row(part.images, i, size)).toEqual(row(together.images, place, size))
        expect(row(part.mask, i, 16)).toEqual(row(together.mask, place, 16))
        expect(part.labels?.data[i]).toBe(together.labels?.data[place])
      }
    }
  }
})

test('batches made at the same time do not disturb each other', async () => {
  const samples = Array.from({ length: 40 }, (_, i) => sample(i))
  const wanted = await collate(samples, random)
  const all = await Promise.all(Array.from({ length: 8 }, () => collate(samples, random)))
  const raw = ({ images, mask, labels }: BatchTensors) =>
    [images, mask, labels].map((t) => (t === null ? null : Buffer.from(t.data.buffer).toString('base64')))
  for (const got of all) expect(raw(got)).toEqual(raw(wanted))
})

test('takes the box that drawCrops names and the mask that drawMasks names', async () => {
  // Scale and ratio fixed, so that the box has the output's size and no pixel is resampled.
  const spec: CollateSpec = { ...random, flip: 0, scaleMin: 1 / 4, scaleMax: 1 / 4, ratioMin: 1, ratioMax: 1 }
  const samples = Array.from({ length: 12 }, (_, i) => sample(100 + i, 32))
  const got = await collate(samples, spec)
  const indices = samples.map(({ index }) => index)
  const crop = { crop: 'random', scaleMin: 1 / 4, scaleMax: 1 / 4, ratioMin: 1, ratioMax: 1 } as const
  const boxes = await addon.drawCrops(crop, 32, 32, spec.seed, spec.epoch, indices)
  samples.forEach((image, i) => {
    expect(bytes(got, i)).toEqual(planes(image, [...boxes.data.subarray(4 * i, 4 * i + 4)]))
  })
  if (spec.mask === null) throw new Error('this test wants a mask')
  expect(got.mask).toEqual(await addon.drawMasks(spec.mask, spec.seed, spec.epoch, indices))
})

test('flips left and right after the resize, as often as asked', async () => {
  const samples = Array.from({ length: 400 }, (_, i) => ({ ...sample(i % 7, 19, 30), index: i }))
  const small = { ...plain, height: 3, width: 5 }
  const kept = await collate(samples, { ...small, flip: 0 })
  const flipped = await collate(samples, { ...small, flip: 1 })
  const mixed = await collate(samples, { ...small, flip: 0.25 })
  const mirror = (planes: number[]) => planes.map((_, i) => planes[i - (i % 5) + 4 - (i % 5)])
  let flips = 0
  for (let i = 0; i < samples.length; i++) {
    const isFlipped = new RngStream({ seed: plain.seed, purpose: 'flip', time: plain.epoch, index: i }).uniform() < 0.25
    expect(bytes(flipped, i)).toEqual(mirror(bytes(kept, i)))
    expect(bytes(mixed, i)).toEqual(bytes(isFlipped ? flipped : kept, i))
    flips += Number(isFlipped)
  }
  expect(Math.abs(flips - 100)).toBeLessThan(4 * Math.sqrt(400 * 0.25 * 0.75))
})

test.each([
  [40, 30, 24, 32, 24, 4, 8], // landscape: short side 30 -> 24, long 40 -> 32
  [30, 41, 24, 24, 32, 8, 4], // portrait: 41 * 24 / 30 = 32.8 is cut to 32
  [10, 10, 20, 20, 20, 2, 2], // smaller than the output
] as const)('a centre crop of %d x %d is the middle of the image at short side %d', async (width, height, short, w, h, top, left) => {
  const image = sample(5, width, height)
  const whole = await addon.resizeImage(image, h, w, 'bicubic')
  const got = await collate([image], { ...plain, crop: 'center', resizeShort: short })
  expect(bytes(got)).toEqual(planes({ ...image, data: whole.data, width: w, height: h }, [top, left, 16, 16]))
})

test('a centre crop takes an image of the output size as it is', async () => {
  const image = sample(6, 16)
  const got = await collate([image], { ...plain, crop: 'center', resizeShort: 18 })
  expect(bytes(got)).toEqual(planes(image, [0, 0, 16, 16]))
})

test('takes images of any proportions and of a single pixel', async () => {
  const sizes = [
    [1, 1],
    [1, 2000],
    [2000, 1],
    [3, 2],
  ] as const
  for (const crop of ['random', 'random-one-try', 'center', 'none'] as const) {
    const samples = sizes.map(([width, height], index) => ({
      data: new Uint8Array(3 * width * height).fill(40 + index),
      width,
      height,
      index,
      label: -1,
    }))
    const got = await collate(samples, { ...random, crop })
    expect(samples.map((_, i) => [...new Set(bytes(got, i))])).toEqual(samples.map((_, i) => [40 + i]))
  }
})

test.each([
  ['a wrong byte count', { samples: [{ ...sample(0), width: 23 }] }, 'ERR_CAE_SHAPE', /sample 0\.data/],
  ['a label that is no class', { samples: [sample(0), { ...sample(1), label: 0.5 }] }, 'ERR_CAE_SHAPE', /sample 1\.label is 0\.5/],
  ['an empty batch', { samples: [] }, 'ERR_CAE_SHAPE', /no samples/],
  ['no output size', { spec: { width: 0 } }, 'ERR_CAE_OPTION', /16 x 0/],
  ['a middle larger than the image', { spec: { crop: 'center', resizeShort: 8 } }, 'ERR_CAE_OPTION', /resizeShort 8/],
  ['a flip that is no probability', { spec: { flip: 2 } }, 'ERR_CAE_OPTION', /flip 2/],
  ['a std of zero', { spec: { std: [1, 0, 1] } }, 'ERR_CAE_OPTION', /std 0/],
] as const)('refuses %s', async (_, given: { samples?: readonly DecodedSample[]; spec?: Partial<CollateSpec> }, code, message) => {
  const made = (async () => addon.collate(given.samples ?? [sample(0)], { ...plain, ...given.spec }))()
  await expect(made).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})

test('a sample that cannot be masked fails the batch and leaves the threads at work', async () => {
  const mask = { shape: 'block', gridHeight: 1, gridWidth: 9, count: 4, minBlock: 1, maxBlock: 0 } as const
  const samples = Array.from({ length: 20 }, (_, i) => sample(i))
  await expect(collate(samples, { ...plain, mask })).rejects.toMatchObject({ code: 'ERR_CAE_OPTION' })
  expect((await collate(samples, plain)).images.shape).toEqual([20, 3, 16, 16])
})
