/**
 * A training loop of your own on `Trainer`, the loop's lower half: you bring the batches and the learning rate, it does forward, backward and the
 * update. Here it is trained on one batch until it knows it by heart.
 *
 *     node own-loop.js photos/ runs/own-loop [STEPS]
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { ContextAutoencoder, imageFolder, Trainer } from '@cae/torch'

async function main([data = 'photos/', out = 'runs/own-loop', steps = '200']: string[]): Promise<void> {
  const photos = await imageFolder(data)
  const images = await Promise.all(Array.from({ length: Math.min(8, photos.length) }, (_, index) => photos.get(index)))

  const model = await ContextAutoencoder.create({ preset: 'cae-nano', maskShape: 'random' }, { seed: 1 })
  const trainer = await Trainer.create(model, { lr: 1e-3, weightDecay: 0.05, clipNorm: 3 })
  try {
    for (let step = 0; step < Number(steps); step++) {
      const warmUp = Math.min(1, (step + 1) / 20)
      const { values, skipped } = await trainer.step({ images }, { lr: 1e-3 * warmUp }) // masks are drawn anew at every step
      if (skipped) console.warn(`step ${step + 1} changed nothing: its loss was not finite`)
      else console.log(`step ${step + 1}  loss ${values.loss?.toFixed(4)}  gradient norm ${values.grad_norm?.toFixed(2)}`)
    }
    const { psnr } = await model.reconstruct(images, { seed: 1 })
    console.log(`reconstruction of hidden patches: ${psnr.toFixed(1)} dB`)
    await mkdir(out, { recursive: true })
    await model.save(join(out, 'model.safetensors'))
  } finally {
    await trainer.dispose()
    await model.dispose()
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
