/** Our side of the step bench, a process of its own so that its memory can be read: one JSON line in, one out. */
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { loadAddon } from '#lib/native/load.js'
import type { NativeConfig } from '#lib/native/types.js'
import { readMemory } from '../harness/memory.js'

const Arguments = z.object({
  model: z.record(z.string(), z.union([z.number(), z.boolean(), z.string(), z.array(z.number())])),
  maskCount: z.number(),
  batchSize: z.number(),
  precision: z.enum(['fp32', 'bf16']),
  threads: z.number(),
  seed: z.number(),
})

const Request = z.object({ do: z.enum(['step', 'memory']), repeats: z.number().default(1) })

async function main(): Promise<void> {
  const { model, maskCount, batchSize, precision, threads, seed } = Arguments.parse(JSON.parse(process.argv[2] ?? '{}'))
  const addon = await loadAddon()
  addon.configure({ threads, deterministic: false })
  const config: NativeConfig = model
  const handle = await addon.createModel(config, seed, 'cpu')
  const trainer = await addon.createTrainer(handle, { precision, beta1: 0.9, beta2: 0.999, eps: 1e-8 })
  const batch = await makeBatch(addon, config, maskCount, batchSize)
  const hyper = { lr: 1e-4, weightDecay: 0.05, clipNorm: 3, seed, firstPosition: 0, schedule: {} }

  let step = 0
  const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
  answer({ ready: true, libtorch: addon.version().libtorch })
  for await (const line of createInterface({ input: process.stdin })) {
    const request = Request.parse(JSON.parse(line))
    if (request.do === 'memory') {
      answer(await readMemory())
      continue
    }
    let loss = Number.NaN
    const start = process.hrtime.bigint()
    for (let i = 0; i < request.repeats; i++) loss = (await addon.step(trainer, [batch], { ...hyper, step: step++ })).values.loss ?? loss
    answer({ ms: Number(process.hrtime.bigint() - start) / 1e6 / request.repeats, loss })
  }
}

/** Fixed noise with `maskCount` patches hidden in every image, as the peer's `random_batch`. */
async function makeBatch(addon: Awaited<ReturnType<typeof loadAddon>>, config: NativeConfig, maskCount: number, size: number) {
  const [height, width] = z.tuple([z.number(), z.number()]).parse(config.imageSize)
  const patchSize = z.number().parse(config.patchSize)
  const [gridHeight, gridWidth] = [height / patchSize, width / patchSize]
  const pixels = new Float32Array(size * 3 * height * width)
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  const spec = { shape: 'random', gridHeight, gridWidth, count: maskCount, minBlock: 1, maxBlock: maskCount } as const
  const mask = await addon.drawMasks(
    spec,
    0,
    0,
    Array.from({ length: size }, (_, index) => index),
  )
  return addon.createBatch({ data: pixels, shape: [size, 3, height, width] }, mask, undefined, undefined)
}

void main()
