import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readConfigFile } from '../../src/cli/config-file.js'
import { checkRunOptions, overlayRunOptions } from '../../src/methods/resolve.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

async function fileWith(content: string): Promise<string> {
  const path = join(folder(), 'run.yaml')
  await writeFile(path, content)
  return path
}

test.each([
  [
    'batchSize: 128\nmodel:\n  preset: cae-tiny\n  imageSize: [96, 128]\n',
    { batchSize: 128, model: { preset: 'cae-tiny', imageSize: [96, 128] } },
  ],
  ['{"lr": 1e-3, "data": "photos"}', { lr: 1e-3, data: 'photos' }],
])('reads %j', async (content, expected) => {
  const options = await readConfigFile(await fileWith(content))
  expect(options).toEqual(expected)
  expect(() => checkRunOptions(options, 'run.yaml')).not.toThrow()
})

test.each([
  ['a: [', /is not YAML/],
  ['- 1\n- 2', /holds no options/],
  ['', /holds no options/],
])('refuses %j', async (content, what) => {
  await expect(readConfigFile(await fileWith(content))).rejects.toMatchObject({
    code: 'ERR_CAE_OPTION',
    message: expect.stringMatching(what),
  })
})

test.each([
  [{ bacthSize: 3 }, /'bacthSize' is unknown/, /'batchSize'/],
  [{ batchSize: '3' }, /batchSize is '3'/, /64/],
  [{ model: { depht: 3 } }, /'model.depht' is unknown/, /'model.depth'/],
  [{ model: { depth: 0 } }, /model.depth is 0/, /12/],
  [{ imageSize: 96 }, /'imageSize' does not belong here/, /model: \{ imageSize/],
  [{ data: 3 }, /data is 3/, /data: /],
  [{ method: 'mae' }, /method 'mae' is unknown/, /'cae'/],
])('a file with %j is refused by its name', (values, what, todo) => {
  expect(() => checkRunOptions(values, 'run.yaml')).toThrow(
    expect.objectContaining({
      code: 'ERR_CAE_OPTION',
      parts: { what: expect.stringMatching(what), where: 'run.yaml', todo: expect.stringMatching(todo) },
    }),
  )
})

test('flags win over the file, option by option, and take back what they replace', () => {
  const file = { epochs: 100, warmupEpochs: 10, batchSize: 64, model: { preset: 'cae-tiny', imageSize: 96 } }
  expect(overlayRunOptions(file, { batchSize: 32 })).toEqual({ ...file, batchSize: 32 })
  expect(overlayRunOptions(file, { steps: 10 })).toEqual({ steps: 10, batchSize: 64, model: file.model })
  expect(overlayRunOptions(file, { model: { depth: 3 } }).model).toEqual({ preset: 'cae-tiny', imageSize: 96, depth: 3 })
  expect(overlayRunOptions({ model: 'cae-tiny' }, { model: { depth: 3 } }).model).toEqual({ preset: 'cae-tiny', depth: 3 })
})
