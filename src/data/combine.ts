import { CaeError } from '../errors.js'
import type { Dataset } from './dataset.js'
import { holdOut } from './order.js'

/**
 * The images of `dataset` at `indices`, in that order; classes and names stay.
 * @throws {CaeError} ERR_CAE_DATA when an index lies outside
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const chosen = Uint32Array.from(indices)
  for (let place = 0; place < indices.length; place++) checkIndex(indices[place], dataset.length)
  return view(chosen.length, dataset.classes === undefined ? {} : { classes: dataset.classes }, (place) => ({
    dataset,
    index: chosen[place] ?? -1,
  }))
}

/**
 * Sets `count` images apart: those drawn are a pure function of the seed, and both parts keep the set's order.
 * @throws {CaeError} ERR_CAE_DATA when there are not so many
 */
export async function split(dataset: Dataset, count: number, seed = 0): Promise<{ training: Dataset; heldOut: Dataset }> {
  if (!(Number.isInteger(count) && count >= 0 && count <= dataset.length)) {
    throw new CaeError('ERR_CAE_DATA', { what: `${count} images cannot be set apart from ${dataset.length}` })
  }
  const parts = await holdOut(dataset.length, count, seed)
  return { training: subset(dataset, parts.training), heldOut: subset(dataset, parts.heldOut) }
}

/** Several sets one after the other. Class names are kept where all sets have the same ones. */
export function concat(...datasets: readonly Dataset[]): Dataset {
  const starts: number[] = []
  let length = 0
  for (const dataset of datasets) {
    starts.push(length)
    length += dataset.length
  }
  const classes = datasets[0]?.classes
  const same = classes !== undefined && datasets.every((dataset) => JSON.stringify(dataset.classes) === JSON.stringify(classes))
  return view(length, same ? { classes } : {}, (place) => {
    const set = starts.findLastIndex((start) => start <= place)
    return { dataset: datasets[set], index: place - (starts[set] ?? 0) }
  })
}

/** Images given as encoded files' bytes or decoded pixels, in memory. */
export function fromBuffers(images: readonly Exclude<Awaited<ReturnType<Dataset['get']>>, string>[], labels?: readonly number[]): Dataset {
  return {
    length: images.length,
    get: (index) => images[checkIndex(index, images.length)] ?? new Uint8Array(),
    ...(labels === undefined ? {} : { label: (index) => labels[index] }),
  }
}

function view(
  length: number,
  facts: Pick<Dataset, 'classes'>,
  find: (place: number) => { readonly dataset: Dataset | undefined; readonly index: number },
): Dataset {
  const locate = (place: number) => {
    const { dataset, index } = find(checkIndex(place, length))
    if (dataset === undefined) throw outside(place, length)
    return { dataset, index }
  }
  return {
    length,
    ...facts,
    get(place, signal) {
      const { dataset, index } = locate(place)
      return dataset.get(index, signal)
    },
    label(place) {
      const { dataset, index } = locate(place)
      return dataset.label?.(index)
    },
    name(place) {
      const { dataset, index } = locate(place)
      return dataset.name?.(index) ?? `#${index}`
    },
  }
}

function checkIndex(index: number | undefined, length: number): number {
  if (index === undefined || !(Number.isInteger(index) && index >= 0 && index < length)) throw outside(index, length)
  return index
}

function outside(index: number | undefined, length: number): CaeError {
  return new CaeError('ERR_CAE_DATA', { what: `image ${index} asked of a set of ${length}`, todo: `use 0 to ${length - 1}` })
}
