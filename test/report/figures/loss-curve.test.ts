import sharp from 'sharp'

import { lossCurveFigure, type MetricsPoint } from '../../../src/report/figures/loss-curve.js'
import { pngInfo } from '../../../src/report/png-info.js'

const curve = (steps: number, metrics: (step: number) => Record<string, number>): MetricsPoint[] =>
  Array.from({ length: steps }, (_, at) => ({ step: at + 1, metrics: metrics(at + 1) }))

/** How many pixels of the picture have a colour, in a column of it. */
async function countColor(png: Uint8Array, left: number, color: readonly [number, number, number]): Promise<number> {
  const { height } = pngInfo(png)
  const column = await sharp(png).extract({ left, top: 0, width: 1, height }).raw().toBuffer()
  const near = (at: number): boolean => color.every((channel, c) => Math.abs((column[at * 3 + c] ?? 0) - channel) < 12)
  return Array.from({ length: height }, (_, at) => at).filter(near).length
}

const blue = [0, 114, 178] as const
const vermillion = [213, 94, 0] as const

test('each part of the loss is a curve of its own colour', async () => {
  const png = await lossCurveFigure(curve(100, (step) => ({ loss: 2, loss_main: 1 / step, loss_align: 0.1 / step, grad_norm: 1 })))
  expect(pngInfo(png)).toEqual({ width: 960, height: 540, channels: 3 })
  expect(await countColor(png, 500, blue)).toBeGreaterThan(0)
  expect(await countColor(png, 500, vermillion)).toBeGreaterThan(0)
})

test('a loss without parts is one curve', async () => {
  const png = await lossCurveFigure(
    curve(50, (step) => ({ loss: 1 / step })),
    { scale: 'linear' },
  )
  expect(await countColor(png, 500, blue)).toBeGreaterThan(0)
  expect(await countColor(png, 500, vermillion)).toBe(0)
})

test.each([
  ['one step', curve(1, () => ({ loss: 1 }))],
  ['a constant', curve(10, () => ({ loss: 0 }))],
  ['skipped steps', curve(10, (step) => ({ loss: step === 4 ? Number.NaN : 1 / step }))],
  ['negative values', curve(10, (step) => ({ loss: 5 - step }))],
  ['a long run', curve(20_000, (step) => ({ loss_main: 1 / step, loss_align: 1 + Math.sin(step) }))],
])('%s can be drawn', async (_, points) => {
  expect(pngInfo(await lossCurveFigure(points))).toMatchObject({ width: 960 })
})

test('no finite loss at all is refused', async () => {
  await expect(lossCurveFigure(curve(3, () => ({ loss: Number.NaN })))).rejects.toMatchObject({ code: 'ERR_CAE_INTERNAL' })
})
