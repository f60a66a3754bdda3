import { setImmediate as nextTurn } from 'node:timers/promises'

import { RngStream } from '../rng.js'

/** Draws between two turns of the event loop: about 2 ms of work. */
const drawsPerTurn = 8192

/** The "epoch" whose permutation chooses the images held out; no run has so many epochs. */
const holdOutTime = 0xffffffff

/**
 * The order in which an epoch visits `length` samples: a permutation of 0..length-1 that depends on seed and epoch alone (Fisher-Yates from
 * the end, one draw a place). Made in pieces, so that the event loop stays free for any length.
 */
export async function epochOrder(length: number, seed: number, epoch: number, signal?: AbortSignal): Promise<Uint32Array> {
  const order = identity(length)
  const random = new RngStream({ seed, purpose: 'order', time: epoch, index: 0 })
  for (let place = length - 1; place > 0; place--) {
    const other = random.integer(0, place)
    const moved = order[place] ?? 0
    order[place] = order[other] ?? 0
    order[other] = moved
    if (place % drawsPerTurn === 0) {
      await nextTurn()
      signal?.throwIfAborted()
    }
  }
  return order
}

/** The samples in their own order: 0..length-1. */
export function identity(length: number): Uint32Array {
  const order = new Uint32Array(length)
  for (let place = 0; place < length; place++) order[place] = place
  return order
}

/**
 * Sets `count` of `length` samples apart: the last ones of a permutation that depends on the seed alone, the same whatever the epochs are.
 * @returns both parts in rising order
 */
export async function holdOut(length: number, count: number, seed: number): Promise<{ training: Uint32Array; heldOut: Uint32Array }> {
  const order = await epochOrder(length, seed, holdOutTime)
  return { training: order.slice(0, length - count).sort(), heldOut: order.slice(length - count).sort() }
}

/**
 * The same class by class: each gives its share of `count`, rounded so that the shares add up (largest remainders first, then the lower class).
 * @param classes places of each class's samples, rising
 */
export async function holdOutByClass(
  classes: readonly (readonly number[])[],
  count: number,
  seed: number,
): Promise<{ training: Uint32Array; heldOut: Uint32Array }> {
  const length = classes.reduce((sum, places) => sum + places.length, 0)
  const exact = classes.map((places) => (length === 0 ? 0 : (count * places.length) / length))
  const shares = exact.map(Math.floor)
  const byRemainder = exact.map((share, at) => ({ at, remainder: share - Math.floor(share) })).sort((a, b) => b.remainder - a.remainder)
  const missing = count - shares.reduce((sum, share) => sum + share, 0)
  for (const { at } of byRemainder.slice(0, missing)) shares[at] = (shares[at] ?? 0) + 1
  const training: number[] = []
  const heldOut: number[] = []
  for (const [at, places] of classes.entries()) {
    const parts = await holdOut(places.length, shares[at] ?? 0, seed)
    for (const place of parts.training) training.push(places[place] ?? 0)
    for (const place of parts.heldOut) heldOut.push(places[place] ?? 0)
  }
  return { training: Uint32Array.from(training).sort(), heldOut: Uint32Array.from(heldOut).sort() }
}

/**
 * What one rank of several trains on in an epoch: every `ranks`-th sample of the global order (design 2). All get equally many, so that none waits
 * for a step that others do not take; the few samples left over are nobody's in this epoch. Whatever shards the samples lie in: N ranks with
 * batch B see, step by step, the batches of one process with batch N * B.
 * @param rank 0 to `ranks - 1`
 */
export function dealToRank(order: Uint32Array, rank: number, ranks: number): Uint32Array {
  return Uint32Array.from({ length: Math.floor(order.length / ranks) }, (_, at) => order[at * ranks + rank] ?? 0)
}
