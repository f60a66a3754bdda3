import { antialiasedBicubic, bicubic, spline } from '../../../src/import/resample/axis.js'
import { multiply, pseudoInverse, solve } from '../../../src/import/resample/linear.js'
import { resampleKernel, resamplePositions, resampleRelative } from '../../../src/import/resample/tables.js'
import { openSafetensors } from '../../../src/io/safetensors.js'
import type { F32Tensor } from '../../../src/native/types.js'
import { expectClose } from '../../support/expect-close.js'
import { sharedFile } from '../../support/shared-data.js'

const golden = sharedFile('golden/vit_resample.safetensors')

async function tensor(path: string, name: string): Promise<F32Tensor> {
  await using file = await openSafetensors(path)
  return file.readFloat32(name)
}

describe('resampling against the references', () => {
  test.each([
    ['deit.pos_9', [9, 9], 'plain'],
    ['deit.pos_4', [4, 4], 'plain'],
    ['timm.pos_9', [9, 9], 'antialiased'],
    ['timm.pos_4', [4, 4], 'antialiased'],
    ['timm.pos_4x7', [4, 7], 'antialiased'],
  ] as const)('positions: %s', async (name, grid, rule) => {
    if (golden === undefined) return
    const got = resamplePositions(await tensor(golden, 'in.pos'), [6, 6], grid, rule)
    expectClose(name, got, await tensor(golden, name), 5e-6)
  })

  test('relative positions of a grid of 7 to one of 12', async () => {
    if (golden === undefined) return
    const got = resampleRelative(await tensor(golden, 'in.rel_table'), 7, 12)
    expectClose('beit', got, await tensor(golden, 'beit.rel_table_13_to_23'), 5e-6)
  })

  test.each([
    ['timm.patch_8', [8, 8]],
    ['timm.patch_2', [2, 2]],
    ['timm.patch_6x3', [6, 3]],
  ] as const)('patch kernels: %s', async (name, size) => {
    if (golden === undefined) return
    expectClose(name, resampleKernel(await tensor(golden, 'in.patch'), size), await tensor(golden, name), 5e-5)
  })

  test.each([
    ['out.pos_8x8', [2, 2]],
    ['out.pos_24x20', [6, 5]],
  ] as const)("DINO's tenth of a patch: %s", async (name, grid) => {
    const dino = sharedFile('golden/dino_tiny.safetensors')
    if (dino === undefined) return
    const got = resamplePositions(await tensor(dino, 'it2.after.student.backbone.pos_embed'), [4, 4], grid, 'dino')
    expectClose(name, got, await tensor(dino, name), 5e-6)
  })
})

describe('maps of a line', () => {
  test.each([
    ['bicubic', bicubic],
    ['antialiased', antialiasedBicubic],
  ])('%s weights sum to one, and nothing changes at the same size', (_, map) => {
    for (const [from, to] of [
      [5, 9],
      [9, 5],
      [7, 7],
      [4, 1],
    ] as const) {
      for (const row of map(from, to)) expect(row.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12)
    }
    expect(
      multiply(
        map(4, 4),
        [1, 2, 3, 4].map((x) => Float64Array.of(x)),
      ).map(([x]) => x),
    ).toEqual([1, 2, 3, 4].map((x) => expect.closeTo(x, 12)))
  })

  test('a spline goes through its knots and is exact for cubics', () => {
    const knots = [-3, -1.5, 0, 1, 2.5, 4]
    const cubic = (x: number) => 2 * x ** 3 - x ** 2 + 3 * x - 5
    const places = [-3, -2, 0, 0.3, 2.5, 3.9, 4]
    const values = multiply(
      spline(knots, places),
      knots.map((x) => Float64Array.of(cubic(x))),
    )
    for (const [i, place] of places.entries()) expect(values[i]?.[0]).toBeCloseTo(cubic(place), 9)
    expect(() => spline([0, 1, 2], [0.5])).toThrow(/4 knots/)
  })

  test('a pseudo-inverse undoes what can be undone', () => {
    const up = bicubic(4, 9)
    const same = multiply(pseudoInverse(up), up)
    for (const [i, row] of same.entries()) for (const [j, value] of row.entries()) expect(value).toBeCloseTo(i === j ? 1 : 0, 9)
    expect(() => solve([Float64Array.of(1, 2), Float64Array.of(2, 4)], [Float64Array.of(1), Float64Array.of(1)])).toThrow(
      /no single solution/,
    )
  })
})
