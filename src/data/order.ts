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
