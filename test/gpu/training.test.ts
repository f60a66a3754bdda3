import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContextAutoencoder } from '../../src/api/model.js'
import { trainCAE } from '../../src/api/train.js'
import { fromBuffers } from '../../src/data/combine.js'
import { drawImage } from '../support/images.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { describeOnGpu } from './gpu.js'

const temporary = temporaryFolder()

describeOnGpu('training on the GPU', () => {
  test.each(['fp32', 'bf16'] as const)('%s: the loss falls, and the model works on the CPU afterwards', async (precision) => {
    const out = join(temporary(), 'run')
    const data = fromBuffers(Array.from({ length: 256 }, (_, i) => drawImage(i, 64)))
    const options = { data, out, model: 'cae-nano', batchSize: 64, lr: 1e-3, seed: 1 } as const
    await trainCAE({ ...options, steps: 60, device: 'cuda', precision })
    const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n')
    const losses = lines.map((line) => Number(JSON.parse(line).loss)).filter(Number.isFinite)
    expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? 0))
    await using model = await ContextAutoencoder.load(out, { device: 'cpu' })
    const image = drawImage(1, 64)
    const { data: features } = await model.encode([image])
    expect(features.every(Number.isFinite)).toBe(true)
  })

  test('device: "auto" takes the GPU', async () => {
    await using model = await ContextAutoencoder.create('cae-nano')
    expect(model.device).toMatch(/^cuda/)
  })
})
