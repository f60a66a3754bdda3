import { appendFile, mkdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { sha256File } from '../../src/io/checksum.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { type CheckpointContent, listCheckpoints, pruneCheckpoints, verifyCheckpoint, writeCheckpoint } from '../../src/train/checkpoint.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

const content = (step: number): CheckpointContent => ({
  step,
  model: [{ name: 'w', dtype: 'F32', shape: [2], data: () => Float32Array.of(step, 2) }],
  modelMetadata: { method: 'cae' },
  optimizer: [{ name: 'exp_avg.w', dtype: 'F32', shape: [2], data: Float32Array.of(3, 4) }],
  state: { step },
})
const steps = async () => (await listCheckpoints(folder())).map(({ step }) => step)

describe('writeCheckpoint', () => {
  test('makes a folder with weights, moments, state and a manifest of their sums, and points latest at it', async () => {
    const written = await writeCheckpoint(folder(), content(7))
    expect(await folder.list()).toEqual(['latest', 'step-7'])
    expect(await readlink(join(folder(), 'latest'))).toBe('step-7')
    const manifest = JSON.parse(await readFile(join(written.path, 'manifest.json'), 'utf8'))
    expect(Object.keys(manifest.files)).toEqual(['model.safetensors', 'optimizer.safetensors', 'trainer.json'])
    for (const [name, { bytes, sha256 }] of Object.entries<{ bytes: number; sha256: string }>(manifest.files)) {
      expect((await stat(join(written.path, name))).size).toBe(bytes)
      expect(await sha256File(join(written.path, name))).toBe(sha256)
    }
    await using file = await openSafetensors(join(written.path, 'model.safetensors'))
    expect((await file.readFloat32('w')).data).toEqual(Float32Array.of(7, 2))
    expect(file.metadata).toMatchObject({ method: 'cae' })
    expect(await verifyCheckpoint(written.path)).toMatchObject({ step: 7 })
    expect(await verifyCheckpoint(join(folder(), 'latest'))).toMatchObject({ step: 7 })
  })

  test('leaves nothing of itself, and the earlier one untouched, when it fails half way', async () => {
    await writeCheckpoint(folder(), content(1))
    const failing: CheckpointContent = {
      ...content(2),
      optimizer: [{ name: 'm', dtype: 'F32', shape: [1], data: () => Promise.reject(new Error('device lost')) }],
    }
    await expect(writeCheckpoint(folder(), failing)).rejects.toThrow('device lost')
    expect(await folder.list()).toEqual(['latest', 'step-1'])
    expect(await verifyCheckpoint(join(folder(), 'latest'))).toMatchObject({ step: 1 })
  })

  test('replaces a damaged folder of the same step', async () => {
    await mkdir(join(folder(), 'step-3'))
    await writeFile(join(folder(), 'step-3', 'model.safetensors'), 'torn')
    await writeCheckpoint(folder(), content(3))
    expect(await verifyCheckpoint(join(folder(), 'step-3'))).toMatchObject({ step: 3 })
    expect(await folder.list()).toEqual(['latest', 'step-3'])
  })

  test('says what to do when its folder was deleted', async () => {
    await rm(folder(), { recursive: true })
    await expect(writeCheckpoint(folder(), content(1))).rejects.toMatchObject({
      code: 'ERR_CAE_OUTPUT',
      message: expect.stringMatching(/step-1[\s\S]*moved or deleted/),
    })
  })
})

describe('verifyCheckpoint', () => {
  const harms: [what: string, harm: (path: string) => Promise<unknown>, message: RegExp][] = [
    ['a missing manifest', (path) => rm(join(path, 'manifest.json')), /manifest\.json/],
    ['a torn manifest', (path) => truncate(join(path, 'manifest.json'), 40), /manifest\.json/],
    ['a manifest of something else', (path) => writeFile(join(path, 'manifest.json'), '{"a":1}'), /not a manifest/],
    ['a missing file', (path) => rm(join(path, 'optimizer.safetensors')), /missing[\s\S]*optimizer\.safetensors/],
    ['a cut file', (path) => truncate(join(path, 'model.safetensors'), 9), /9 bytes[\s\S]*model\.safetensors/],
    ['a grown file', (path) => appendFile(join(path, 'trainer.json'), ' '), /bytes[\s\S]*trainer\.json/],
    ['a flipped bit', flipLastByte, /checksum[\s\S]*model\.safetensors/],
  ]
  test.each(harms)('notices %s', async (_, harm, message) => {
    const { path } = await writeCheckpoint(folder(), content(5))
    await harm(path)
    await expect(verifyCheckpoint(path)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(message) })
  })

  test('notices a folder that was renamed to another step', async () => {
    const { path } = await writeCheckpoint(folder(), content(5))
    await symlink(path, join(folder(), 'step-6'))
    await expect(verifyCheckpoint(join(folder(), 'step-6'))).rejects.toThrow(/belongs to step 5/)
  })

  test('rejects with the reason of an abort', async () => {
    const { path } = await writeCheckpoint(folder(), content(5))
    const reason = new Error('enough')
    await expect(verifyCheckpoint(path, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})

describe('pruneCheckpoints', () => {
  const write = async (...all: number[]) => {
    for (const step of all) await writeCheckpoint(folder(), content(step))
  }

  test('keeps the newest few, and every so-and-so-many-th', async () => {
    await write(10, 20, 30, 40, 50)
    await pruneCheckpoints(folder(), 50, { keepLast: 2, keepEvery: 20 })
    expect(await steps()).toEqual([50, 40, 20])
    await pruneCheckpoints(folder(), 50, { keepLast: 1, keepEvery: 0 })
    expect(await steps()).toEqual([50])
    expect(await readlink(join(folder(), 'latest'))).toBe('step-50')
  })

  test('never removes the one just written, even when a later, damaged one is there', async () => {
    await write(10, 20, 90)
    await truncate(join(folder(), 'step-90', 'model.safetensors'), 3)
    await write(30)
    await pruneCheckpoints(folder(), 30, { keepLast: 1, keepEvery: 0 })
    expect(await steps()).toEqual([90, 30])
  })

  test('leaves what is no checkpoint', async () => {
    await write(1, 2)
    await mkdir(join(folder(), 'step-best'))
    await pruneCheckpoints(folder(), 2, { keepLast: 1, keepEvery: 0 })
    expect(await folder.list()).toEqual(['latest', 'step-2', 'step-best'])
  })
})

async function flipLastByte(path: string): Promise<void> {
  const file = join(path, 'model.safetensors')
  const bytes = await readFile(file)
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  await writeFile(file, bytes)
}
