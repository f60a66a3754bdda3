import { Means, RecentMeans } from '../../src/train/means.js'
import { RateMeter } from '../../src/train/rates.js'

describe('RateMeter', () => {
  test('tells rates since the start while the run is young', () => {
    const meter = new RateMeter(1000)
    meter.step(2000, 64, 250)
    meter.step(3000, 64, 250)
    expect(meter.recent()).toEqual({ imagesPerSecond: 64, dataWaitShare: 0.25, secondsPerStep: 1 })
    expect(meter.overall(2)).toEqual(meter.recent())
  })

  test('forgets what is older than its window', () => {
    const meter = new RateMeter(0)
    for (let at = 1; at <= 10; at++) meter.step(at * 5000, 10, 0) // 2 images/s
    for (let at = 1; at <= 100; at++) meter.step(50_000 + at * 200, 10, 100) // 50 images/s
    expect(meter.recent()).toMatchObject({ imagesPerSecond: 50, dataWaitShare: 0.5 })
    expect(meter.recent().secondsPerStep).toBeCloseTo(0.2)
    expect(meter.overall(110).imagesPerSecond).toBeCloseTo(1100 / 70)
  })

  test('keeps one whole step in the window when steps are slow', () => {
    const meter = new RateMeter(0)
    for (let at = 1; at <= 5; at++) meter.step(at * 60_000, 600, 0)
    expect(meter.recent().imagesPerSecond).toBe(10)
  })

  test('tells nothing before the first step', () => {
    expect(new RateMeter(0).recent()).toEqual({ imagesPerSecond: 0, dataWaitShare: 0, secondsPerStep: 0 })
  })
})

test('means go on from their state as if never interrupted', () => {
  const rows = [
    { a: 1, b: 2 },
    { a: 0.1, b: 7 },
    { a: 5, b: -3 },
  ]
  const whole = new Means()
  for (const row of rows) whole.add(row)
  let parts = new Means()
  for (const row of rows) {
    parts.add(row)
    parts = new Means(JSON.parse(JSON.stringify(parts.state)))
  }
  expect(parts.get()).toEqual(whole.get())
  whole.clear()
  expect(whole.get()).toEqual({})
})

test('recent means hold the last rows only', () => {
  const means = new RecentMeans(2, [{ a: 100 }, { a: 1 }])
  means.add({ a: 2 })
  expect(means.get()).toEqual({ a: 1.5 })
  expect(means.state).toEqual([{ a: 1 }, { a: 2 }])
})
