import { concat, fromBuffers, split, subset } from '../../src/data/combine.js'
import type { Dataset } from '../../src/data/dataset.js'
import { drawImage } from '../support/images.js'

const images = [0, 1, 2, 3].map((seed) => drawImage(seed, 4))
const set = { ...fromBuffers(images, [0, 1, 0, 1]), classes: ['cat', 'dog'], name: (index: number) => `n${index}` }

test('a subset keeps images, labels, names and classes', async () => {
  const part = subset(set, [3, 0])
  expect(part.length).toBe(2)
  expect([await part.get(0), await part.get(1)]).toEqual([images[3], images[0]])
  expect([part.label?.(0), part.label?.(1), part.name?.(0), part.classes]).toEqual([1, 0, 'n3', ['cat', 'dog']])
})

test('sets one after the other', async () => {
  const both = concat(subset(set, [1]), set)
  expect(both.length).toBe(5)
  expect([await both.get(0), await both.get(1), both.label?.(0), both.name?.(4), both.classes]).toEqual([
    images[1],
    images[0],
    1,
    'n3',
    ['cat', 'dog'],
  ])
  expect(concat(set, { ...set, classes: ['dog', 'cat'] }).classes).toBeUndefined()
})

test('a split deals every image to one side', async () => {
  const { training, heldOut } = await split(set, 1, { seed: 9 })
  expect([training.length, heldOut.length]).toEqual([3, 1])
  const names = [...[0, 1, 2].map((index) => training.name?.(index)), heldOut.name?.(0)]
  expect(names.sort()).toEqual(['n0', 'n1', 'n2', 'n3'])
  await expect(split(set, 5)).rejects.toMatchObject({ code: 'ERR_CAE_DATA' })
})

test('a stratified split takes from every class its share, and depends on the seed alone', async () => {
  const labels = Array.from({ length: 100 }, (_, index) => (index % 10 < 7 ? 0 : index % 10 < 9 ? 1 : 2))
  const many: Dataset = { length: 100, get: (index) => `${index}`, label: (index) => labels[index], name: (index) => `${index}` }
  const namesOf = ({ length, name }: Dataset) => Array.from({ length }, (_, index) => Number(name?.(index)))
  const { training, heldOut } = await split(many, 21, { seed: 3, stratified: true })
  const counts = [0, 1, 2].map((label) => namesOf(heldOut).filter((index) => labels[index] === label).length)
  expect(counts).toEqual([15, 4, 2]) // of 14.7, 4.2 and 2.1
  expect([...namesOf(training), ...namesOf(heldOut)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index))
  expect(namesOf(training)).toEqual([...namesOf(training)].sort((a, b) => a - b))
  expect(namesOf((await split(many, 21, { seed: 3, stratified: true })).heldOut)).toEqual(namesOf(heldOut))
  expect(namesOf((await split(many, 21, { seed: 4, stratified: true })).heldOut)).not.toEqual(namesOf(heldOut))
  await expect(split({ ...many, label: (index) => (index === 5 ? undefined : 0) }, 3, { stratified: true })).rejects.toMatchObject({
    code: 'ERR_CAE_DATA',
    message: expect.stringMatching(/image 5 has no class/),
  })
})

test('fingerprints follow the sets they come from', () => {
  const print = { ...set, fingerprint: 'a' }
  const prints = [
    subset(print, [0, 1]),
    subset(print, [1, 0]),
    subset({ ...set, fingerprint: 'b' }, [0, 1]),
    concat(print, set),
    concat(set, print),
  ]
  expect(new Set(prints.map(({ fingerprint }) => fingerprint)).size).toBe(5)
  expect([subset(set, [0]).fingerprint, concat(set, set).fingerprint, subset(print, [0, 1]).fingerprint]).toEqual([
    undefined,
    undefined,
    prints[0]?.fingerprint,
  ])
})

test('an index outside is refused, at once or when asked for', () => {
  for (const bad of [() => subset(set, [4]), () => subset(set, [-1]), () => subset(set, [0]).get(1), () => concat(set).get(4)]) {
    expect(bad).toThrow(expect.objectContaining({ code: 'ERR_CAE_DATA' }))
  }
})
