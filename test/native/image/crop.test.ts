import { readFileSync } from 'node:fs'

import type { Addon } from '../../../src/native/addon.js'
import { loadAddon } from '../../../src/native/load.js'
import type { CropSpec } from '../../../src/native/types.js'
import { RngStream } from '../../../src/rng.js'
import { sharedFile } from '../../support/shared-data.js'

let addon: Addon
beforeAll(async () => {
  addon = await loadAddon()
})

const usual: CropSpec = { crop: 'random', scaleMin: 0.08, scaleMax: 1, ratioMin: 3 / 4, ratioMax: 4 / 3 }

type Box = readonly [top: number, left: number, height: number, width: number]

async function draw(spec: CropSpec, width: number, height: number, indices: number[], seed = 0, epoch = 0): Promise<Box[]> {
  const { data, shape } = await addon.drawCrops(spec, width, height, seed, epoch, indices)
  expect(shape).toEqual([indices.length, 4])
  return indices.map((_, i) => [data[4 * i] ?? -1, data[4 * i + 1] ?? -1, data[4 * i + 2] ?? -1, data[4 * i + 3] ?? -1])
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** How many of the boxes hold each of 16 x 16 pixels spread over the image. */
function coverage(boxes: readonly Box[], width: number, height: number): number[] {
  const places = (size: number) => upTo(16).map((i) => Math.floor(((i + 0.5) * size) / 16))
  const before = (size: number) => upTo(size + 1).map((end) => places(size).filter((place) => place < end).length)
  const [rows, columns] = [before(height), before(width)]
  const counts = upTo(256).map(() => 0)
  for (const [top, left, h, w] of boxes) {
    for (let a = rows[top] ?? 0; a < (rows[top + h] ?? 0); a++) {
      for (let b = columns[left] ?? 0; b < (columns[left + w] ?? 0); b++) counts[16 * a + b] = (counts[16 * a + b] ?? 0) + 1
    }
  }
  return counts
}

interface ReplayedCrop {
  readonly width: number
  readonly height: number
  readonly scale: readonly [number, number]
  readonly ratio: readonly [number, number]
  readonly draws: readonly (readonly [string, number, number, number])[]
  readonly top: number
  readonly left: number
  readonly crop_height: number
  readonly crop_width: number
}

interface CropStatistics {
  readonly width: number
  readonly height: number
  readonly crops: number
  readonly mean_area: number
  readonly std_area: number
  readonly mean_cx: number
  readonly std_cx: number
  readonly mean_cy: number
  readonly std_cy: number
  readonly coverage_16x16: readonly (readonly number[])[]
}

const replay = sharedFile('golden/cae_replay.json')
const statistics = sharedFile('golden/cae_crop_stats.json')

;(replay === undefined ? test.skip : test)('takes the box that the reference takes of the same draws', () => {
  const { crops } = JSON.parse(readFileSync(replay ?? '', 'utf8')) as { crops: ReplayedCrop[] }
  expect(crops.length).toBeGreaterThan(5)
  for (const c of crops) {
    const spec = { ...usual, scaleMin: c.scale[0], scaleMax: c.scale[1], ratioMin: c.ratio[0], ratioMax: c.ratio[1] }
    const values = Float64Array.from(c.draws, ([, , , value]) => value)
    expect([...addon.replayCrop(spec, c.width, c.height, values).data]).toEqual([c.top, c.left, c.crop_height, c.crop_width])
  }
})

;(statistics === undefined ? test.skip : test)('covers an image as the reference does', async () => {
  const { cases } = JSON.parse(readFileSync(statistics ?? '', 'utf8')) as { cases: CropStatistics[] }
  for (const wanted of cases) {
    const { width, height, crops } = wanted
    const boxes = await draw(usual, width, height, upTo(crops), 2)
    const moments = (values: number[]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / crops
      return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / crops) }
    }
    // In standard errors of a difference of two means of as many draws; a deviation's own is below the mean's.
    const errors: number[] = []
    for (const [values, mean, std] of [
      [boxes.map(([, , h, w]) => (h * w) / (width * height)), wanted.mean_area, wanted.std_area],
      [boxes.map(([, left, , w]) => (left + w / 2) / width), wanted.mean_cx, wanted.std_cx],
      [boxes.map(([top, , h]) => (top + h / 2) / height), wanted.mean_cy, wanted.std_cy],
    ] as const) {
      const drawn = moments(values)
      errors.push((drawn.mean - mean) / (std * Math.sqrt(2 / crops)), (drawn.std - std) / (std * Math.sqrt(2 / crops)))
    }
    const drawn = coverage(boxes, width, height)
    wanted.coverage_16x16.flat().forEach((p, i) => {
      errors.push(((drawn[i] ?? 0) / crops - p) / Math.sqrt((2 * p * (1 - p)) / crops))
    })
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(4)
  }
})

test('lies inside any image, with at least one pixel, in every mode', async () => {
  const random = new RngStream({ seed: 1, purpose: 'jitter', time: 0, index: 0 })
  const sizes = [[1, 1], [1, 2000], [2000, 1], [2, 3], ...upTo(30).map(() => [random.integer(1, 700), random.integer(1, 700)])]
  for (const [width = 1, height = 1] of sizes) {
    for (const crop of ['random', 'random-one-try'] as const) {
      for (const [top, left, h, w] of await draw({ ...usual, crop }, width, height, upTo(50))) {
        expect({ top, left, h, w, fits: top >= 0 && left >= 0 && h >= 1 && w >= 1 && top + h <= height && left + w <= width }).toEqual({
          top,
          left,
          h,
          w,
          fits: true,
        })
      }
    }
  }
})

test('one try is cut to a thin image instead of being drawn again', async () => {
  const boxes = await draw({ ...usual, crop: 'random-one-try' }, 1000, 20, upTo(200))
  expect(boxes.every(([top, , h]) => top === 0 && h === 20)).toBe(true)
  expect(new Set(boxes.map(([, , , w]) => w)).size).toBeGreaterThan(50)
})

test('depends on seed, epoch and index alone', async () => {
  const [first] = await draw(usual, 500, 375, [77], 5, 6)
  expect((await draw(usual, 500, 375, [3, 77], 5, 6))[1]).toEqual(first)
  expect((await draw(usual, 500, 375, [77], 5, 7))[0]).not.toEqual(first)
  expect((await draw(usual, 500, 375, [77], 6, 6))[0]).not.toEqual(first)
})

test.each([
  ['scale', { scaleMin: 0 }],
  ['scale', { scaleMin: 0.5, scaleMax: 0.4 }],
  ['scale', { scaleMax: 1.5 }],
  ['ratio', { ratioMin: -1 }],
  ['ratio', { ratioMin: 2, ratioMax: 1 }],
])('refuses a %s that is no range: %j', async (_, changes) => {
  const drawn = (async () => addon.drawCrops({ ...usual, ...changes }, 9, 9, 0, 0, [0]))()
  await expect(drawn).rejects.toMatchObject({ code: 'ERR_CAE_OPTION', message: expect.stringContaining('crop') })
})
