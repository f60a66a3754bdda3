import type { Dataset } from '../../src/data/dataset.js'
import { RngStream } from '../../src/rng.js'

/**
 * Noisy images of one colour a class: easy to tell apart, drawn from the seed alone. Classes take turns.
 * @param o.noise share of the colour's range that noise covers
 */
export function colouredImages(o: { length: number; classes: number; size: number; seed: number; noise: number }): Dataset {
  const image = (index: number) => {
    const random = new RngStream({ seed: o.seed, purpose: 'crop', time: 0, index })
    const colour = new RngStream({ seed: 1000, purpose: 'crop', time: 0, index: index % o.classes })
    const base = [colour.uniform(), colour.uniform(), colour.uniform()]
    const data = new Uint8Array(o.size * o.size * 3)
    for (let i = 0; i < data.length; i++) data[i] = Math.round(255 * ((1 - o.noise) * (base[i % 3] ?? 0) + o.noise * random.uniform()))
    return { data, width: o.size, height: o.size, channels: 3 as const }
  }
  return {
    length: o.length,
    get: image,
    label: (index) => index % o.classes,
    classes: Array.from({ length: o.classes }, (_, c) => `class ${c}`),
  }
}
