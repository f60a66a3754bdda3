import { CaeError } from '../errors.js'
import { sha256 } from '../io/checksum.js'
import type { Dataset } from './dataset.js'
import { holdOut, holdOutByClass } from './order.js'

/**
 * The images of `dataset` at `indices`, in that order; classes and names stay.
 * @throws {CaeError} ERR_CAE_DATA when an index lies outside
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const chosen = Uint32Array.from(indices)
  for (let place = 0; place < indices.length; place++) checkIndex(indices[place], dataset.length)
  const { classes, fingerprint } = dataset
  const facts = {
    ...(classes && { classes }),
    ...(fingerprint !== undefined && { fingerprint: sha256(fingerprint + sha256(new Uint8Array(chosen.buffer))) }),
  }
  return view(chosen.length, facts, (place) => ({ dataset, index: chosen[place] ?? -1 }))
}

/** How `split` chooses. */
export interface SplitOptions {
  /** Default: 0. */
  readonly seed?: number | undefined
  /** Take from each class in proportion to its size, so that both parts have the classes of the whole. Needs labels. Default: false. */
  readonly stratified?: boolean | undefined
}

/**
 * Sets `count` images apart: those drawn are a pure function of the seed, and both parts keep the set's order.
 * @example
 * const { training, heldOut } = await split(await imageFolder('photos/'), 500, { seed: 1, stratified: true })
 * @throws {CaeError} ERR_CAE_DATA when there are not so many, or classes are wanted where there are none
 */
export async function split(
  dataset: Dataset,
  count: number,
  { seed = 0, stratified = false }: SplitOptions = {},
): Promise<{ training: Dataset; heldOut: Dataset }> {
  if (!(Number.isInteger(count) && count >= 0 && count <= dataset.length)) {
    throw new CaeError('ERR_CAE_DATA', { what: `${count} images cannot be set apart from ${dataset.length}` })
  }
  const parts = stratified ? await holdOutByClass(classPlaces(dataset), count, seed) : await holdOut(dataset.length, count, seed)
  return { training: subset(dataset, parts.training), heldOut: subset(dataset, parts.heldOut) }
}

/** The images of each class, by label. */
function classPlaces(dataset: Dataset): number[][] {
  const places = new Map<number, number[]>()
  for (let index = 0; index < dataset.length; index++) {
    const label = dataset.label?.(index)
    if (label === undefined) {
      throw new CaeError('ERR_CAE_DATA', {
        what: `image ${index} has no class, so that the classes cannot be kept in proportion`,
        where: dataset.name?.(index),
        todo: 'split without `stratified`, or label all images',
      })
    }
    const known = places.get(label)
    if (known) known.push(index)
    else places.set(label, [index])
  }
  return [...places].sort(([a], [b]) => a - b).map(([, indices]) => indices)
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
  const prints = datasets.map(({ fingerprint }) => fingerprint ?? '')
  const facts = { ...(same && { classes }), ...(prints.some(Boolean) && { fingerprint: sha256(prints.join()) }) }
  return view(length, facts, (place) => {
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
  facts: Pick<Dataset, 'classes' | 'fingerprint'>,
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
