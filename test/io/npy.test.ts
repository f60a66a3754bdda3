import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { writeNpy } from '../../src/io/npy.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

// The headers are those of numpy 2.4 `np.save` for the same arrays.
test.each([
  ['float32', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"],
  ['int32', [3], Int32Array.of(7, -8, 9), "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }"],
  ['uint8', [2, 0, 2], new Uint8Array(), "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 0, 2), }"],
  ['float64', [], Float64Array.of(0.5), "{'descr': '<f8', 'fortran_order': False, 'shape': (), }"],
  ['int64', [1], BigInt64Array.of(-1n), "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }"],
] as const)('writes %s %j as NumPy does', async (dtype, shape, data, header) => {
  const path = join(folder(), 'a.npy')
  await writeNpy(path, { dtype, shape, data })
  const bytes = await readFile(path)
  expect(bytes.subarray(0, 10).toString('hex')).toBe('934e554d505901007600')
  expect(bytes.subarray(10, 128).toString()).toBe(`${header.padEnd(117)}\n`)
  expect(bytes.subarray(128).equals(Buffer.from(data.buffer))).toBe(true)
})

test('takes data in pieces, and refuses too few or too many', async () => {
  const path = join(folder(), 'a.npy')
  async function* rows(count: number) {
    for (let row = 0; row < count; row++) yield Float32Array.of(row, row)
  }
  await writeNpy(path, { dtype: 'float32', shape: [3, 2], data: rows(3) })
  expect(new Float32Array((await readFile(path)).buffer.slice(-24))).toEqual(Float32Array.of(0, 0, 1, 1, 2, 2))
  for (const count of [2, 4]) {
    await expect(writeNpy(join(folder(), 'b.npy'), { dtype: 'float32', shape: [3, 2], data: rows(count) })).rejects.toMatchObject({
      code: 'ERR_CAE_SHAPE',
      message: expect.stringMatching(/\[3, 2\] float32 takes 24 bytes/),
    })
  }
  expect(await folder.list()).toEqual(['a.npy'])
})
