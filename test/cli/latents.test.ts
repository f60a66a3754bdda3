import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { drawImage, encodeImage } from '../support/images.js'
import { runCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { writeTower } from '../support/tiny-tower.js'

jest.setTimeout(60_000)

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

beforeEach(async () => {
  await mkdir(at('photos'))
  for (let n = 0; n < 6; n++) await writeFile(at('photos', `${n}.png`), await encodeImage(drawImage(n, 40, 36), 'png'))
  await writeTower(at('clip.safetensors'))
})

const small = '--model cae-nano --image-size 32 --embed-dim 16 --num-heads 2 --mask-shape random --batch-size 4 --precision fp32'.split(' ')
const pretrain = (...more: string[]) => runCli(['pretrain', at('photos'), '--out', at('run'), ...small, '--steps', '4', ...more])

test('the latents of an encoder are learnt, and the model is used but for pictures', async () => {
  const trained = await pretrain('--latents', at('clip.safetensors'), '--json')
  expect(trained).toMatchObject({ status: 0, stderr: '' })
  const events = trained.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.find(({ type }) => type === 'step').metrics).toMatchObject({ loss_main: expect.any(Number), cosine: expect.any(Number) })
  const [inspected, embedded, drawn] = await Promise.all([
    runCli(['inspect', at('run')]),
    runCli(['embed', at('run'), '--data', at('photos'), '--out', at('features.safetensors')]),
    runCli(['reconstruct', at('run'), '--data', at('photos'), '--out', at('picture.png')]),
  ])
  expect(inspected).toMatchObject({ status: 0, stdout: expect.stringMatching(/cae, predicts latents/) })
  expect(embedded).toMatchObject({ status: 0 })
  expect(drawn).toMatchObject({ status: 2, stderr: expect.stringMatching(/latents, which are no pixels/) })
})

test('a configuration file may name the encoder; a tokenizer besides it is refused', async () => {
  await writeFile(at('run.yaml'), `target: { latents: ${at('clip.safetensors')} }\n`)
  expect(await pretrain('--config', at('run.yaml'))).toMatchObject({ status: 0 })
  const both = await pretrain('--latents', at('clip.safetensors'), '--tokenizer', at('tokenizer'))
  expect(both).toMatchObject({ status: 2, stderr: expect.stringMatching(/--tokenizer and --latents are both given/) })
})
