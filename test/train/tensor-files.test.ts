import { join } from 'node:path'

import { openSafetensors, writeSafetensors } from '../../src/io/safetensors.js'
import { tensorEntries } from '../../src/io/tensor-entries.js'
import type { F32Tensor, TensorInfo } from '../../src/native/types.js'
import { copiedEntries, restoreTensors } from '../../src/train/tensor-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const path = () => join(folder(), 'tensors.safetensors')

const info = (name: string, ...shape: number[]): TensorInfo => ({ name, shape, trainable: true, decay: true })
const infos = [info('b.weight', 2000, 1000), info('a', 3), info('c', 1), info('b.bias', 2, 2), info('d', 1500, 1000)]
const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
const tensors = new Map<string, F32Tensor>(
  infos.map(({ name, shape }, at) => [name, { shape, data: new Float32Array(sizeOf(shape)).fill(at + 0.5) }]),
)

/** Not by the matcher: it takes seconds for a million numbers. */
function same(a: F32Tensor | undefined, b: F32Tensor): boolean {
  return (
    a !== undefined && a.shape.join() === b.shape.join() && Buffer.compare(Buffer.from(a.data.buffer), Buffer.from(b.data.buffer)) === 0
  )
}

/** Tensors by name, as the addon gives them, and what was asked for together. */
function source() {
  const asked: string[][] = []
  const read = async (names: readonly string[]) => {
    asked.push([...names])
    return names.map((name) => tensors.get(name) ?? { data: new Float32Array(), shape: [0] })
  }
  return { asked, read }
}

test('writes every tensor, few across the border at a time and each once', async () => {
  const { asked, read } = source()
  await writeSafetensors(path(), tensorEntries(infos, read))
  expect(asked).toEqual([['a', 'b.bias'], ['b.weight'], ['c'], ['d']])
  await using file = await openSafetensors(path())
  for (const [name, tensor] of tensors) expect(same(await file.readFloat32(name), tensor)).toBe(true)
})

test('a copy is written as it was when it was taken, and each of its tensors is let go of then', async () => {
  const { asked, read } = source()
  const checked: string[] = []
  const entries = await copiedEntries(infos, read, (name) => checked.push(name))
  expect(asked.flat().sort()).toEqual([...tensors.keys()].sort())
  expect(checked).toEqual([])
  await writeSafetensors(path(), entries)
  expect(asked.flat()).toHaveLength(tensors.size)
  expect(checked).toEqual(['a', 'b.bias', 'b.weight', 'c', 'd'])
  await using file = await openSafetensors(path())
  for (const [name, tensor] of tensors) expect(same(await file.readFloat32(name), tensor)).toBe(true)
})

test('gives back what was written', async () => {
  await writeSafetensors(path(), tensorEntries(infos, source().read))
  const got = new Map<string, F32Tensor>()
  await restoreTensors(path(), infos, async (names, read) => {
    for (const [at, tensor] of read.entries()) got.set(names[at] ?? '', tensor)
  })
  expect([...got.keys()].sort()).toEqual([...tensors.keys()].sort())
  for (const [name, tensor] of tensors) expect(same(got.get(name), tensor)).toBe(true)
})

test.each([
  ['a tensor missing', [...infos, info('e', 1)], /lacks e/],
  ['one too many', infos.filter(({ name }) => name !== 'c'), /nothing here is called c/],
  ['another shape', infos.map((one) => (one.name === 'a' ? info('a', 1, 3) : one)), /a has the shape \[3\], wanted is \[1, 3\]/],
])('refuses %s before anything is written', async (_, wanted, message) => {
  await writeSafetensors(path(), tensorEntries(infos, source().read))
  const write = jest.fn()
  await expect(restoreTensors(path(), wanted, write)).rejects.toMatchObject({
    code: 'ERR_CAE_CHECKPOINT',
    message: expect.stringMatching(message),
  })
  expect(write).not.toHaveBeenCalled()
})
