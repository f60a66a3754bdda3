import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { drawImage, encodeImage } from '../support/images.js'
import { runCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

beforeEach(async () => {
  await mkdir(at('photos'))
  for (let n = 0; n < 8; n++) await writeFile(at('photos', `${n}.png`), await encodeImage(drawImage(n, 20, 18), 'png'))
})

const small =
  '--image-size 16 --hidden-dim 4 --decoder-input-dim 6 --vocab-size 12 --batch-size 4 --steps 4 --holdout 2 --precision fp32'.split(' ')

test('a tokenizer is trained, and shows what it makes of images', async () => {
  const trained = await runCli(['tokenizer', 'train', at('photos'), '--out', at('run'), ...small, '--json'])
  expect(trained).toMatchObject({ status: 0, stderr: '' })
  const events = trained.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.filter(({ type }) => type === 'step')).not.toHaveLength(0)
  expect(events.find(({ type }) => type === 'measure').metrics).toMatchObject({
    used_codes: expect.any(Number),
    perplexity: expect.any(Number),
  })
  const drawn = await runCli([
    'tokenizer',
    'reconstruct',
    at('run'),
    '--data',
    at('photos'),
    '--out',
    at('picture.png'),
    '--images',
    '2',
    '--json',
  ])
  expect(drawn).toMatchObject({ status: 0 })
  expect(JSON.parse(drawn.stdout)).toEqual({ out: at('picture.png'), images: 2, psnr: expect.any(Number) })
  expect((await readFile(at('picture.png'))).subarray(1, 4).toString()).toBe('PNG')
})

test('a configuration file is checked by the table of its preset', async () => {
  await writeFile(at('run.yaml'), 'model: { preset: light-nano, hiddenDm: 8 }\n')
  const { status, stderr } = await runCli(['tokenizer', 'train', at('photos'), '--out', at('run'), '--config', at('run.yaml')])
  expect(status).toBe(2)
  expect(stderr).toMatch(/'model.hiddenDm' is unknown[\s\S]*run\.yaml[\s\S]*'model.hiddenDim'/)
})

test('an encoder’s run is no tokenizer', async () => {
  const { status, stderr } = await runCli(['tokenizer', 'reconstruct', at('photos'), '--data', at('photos'), '--out', at('x.png')])
  expect(status).toBe(6)
  expect(stderr).toMatch(/no weights in this folder/)
})
