import { dealToRank, epochOrder, holdOut } from '../../src/data/order.js'
import { turnsDuring } from '../support/event-loop.js'

test('an epoch visits every sample once, in an order of its own', async () => {
  const orders = await Promise.all([0, 1, 2].map((epoch) => epochOrder(1000, 7, epoch)))
  for (const order of orders) expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  expect(new Set(orders.map((order) => order.join())).size).toBe(3)
  expect(await epochOrder(1000, 7, 1)).toEqual(orders[1])
})

test('every sample comes to every place equally often', async () => {
  const counts = new Float64Array(16)
  for (let epoch = 0; epoch < 4000; epoch++) {
    const order = await epochOrder(4, 3, epoch)
    order.forEach((sample, place) => {
      counts[place * 4 + sample] = (counts[place * 4 + sample] ?? 0) + 1
    })
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(110) // 4 standard deviations
})

test('a long permutation leaves the event loop free', async () => {
  expect(await turnsDuring(() => epochOrder(300_000, 1, 0))).toBeGreaterThan(30)
})

test('can be aborted', async () => {
  const reason = new Error('enough')
  await expect(epochOrder(100_000, 1, 0, AbortSignal.abort(reason))).rejects.toBe(reason)
})

test('images held out and images trained on are disjoint and complete, whatever the epochs are', async () => {
  for (const [length, count] of [
    [100, 10],
    [5, 5],
    [5, 0],
    [1, 0],
  ] as const) {
    const { training, heldOut } = await holdOut(length, count, 3)
    expect(heldOut).toHaveLength(count)
    expect([...training, ...heldOut].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i))
  }
  expect(await holdOut(100, 10, 3)).toEqual(await holdOut(100, 10, 3))
  expect((await holdOut(100, 10, 4)).heldOut).not.toEqual((await holdOut(100, 10, 3)).heldOut)
})

describe('what each of several ranks trains on', () => {
  test('is dealt so that no sample comes twice, and all have equally many, whatever the numbers', async () => {
    for (const length of [1, 7, 96, 97, 101]) {
      for (const ranks of [1, 2, 3, 7]) {
        const order = await epochOrder(length, 5, 1)
        const dealt = Array.from({ length: ranks }, (_, rank) => dealToRank(order, rank, ranks))
        const all = dealt.flatMap((part) => [...part])
        expect(new Set(dealt.map((part) => part.length))).toEqual(new Set([Math.floor(length / ranks)]))
        expect(new Set(all).size).toBe(all.length)
        expect(length - all.length).toBeLessThan(ranks)
      }
    }
  })

  test('is, step by step, the batch that one process would have', async () => {
    const order = await epochOrder(1000, 2, 3)
    const [ranks, batch] = [4, 8]
    const dealt = Array.from({ length: ranks }, (_, rank) => dealToRank(order, rank, ranks))
    for (let step = 0; step < Math.floor(1000 / (ranks * batch)); step++) {
      const together = dealt.flatMap((part) => [...part.subarray(step * batch, (step + 1) * batch)])
      expect(new Set(together)).toEqual(new Set(order.subarray(step * ranks * batch, (step + 1) * ranks * batch)))
    }
  })
})
