/**
 * Pre-trains a small Context Autoencoder on a folder of images and encodes an image with it.
 *
 *     node quickstart.js photos/ runs/quickstart [STEPS]
 */
import { imageFolder, trainCAE } from '@cae/torch'

async function main([data = 'photos/', out = 'runs/quickstart', steps = '1000']: string[]): Promise<void> {
  const photos = await imageFolder(data)
  const run = trainCAE({
    data: photos,
    out,
    model: { preset: 'cae-nano', imageSize: 64 },
    steps: Number(steps),
    batchSize: Math.min(64, photos.length),
    resume: 'auto', // started again after a stop, it goes on where it was
  })

  for await (const event of run) {
    if (event.type === 'start') console.log(`${event.images} images, ${event.parameters} parameters, on ${event.device}`)
    if (event.type === 'step') console.log(`step ${event.step}/${event.steps}  loss ${event.metrics.loss?.toFixed(4)}`)
    if (event.type === 'warning') console.warn(event.message)
  }

  const { model, summary } = await run
  console.log(`${summary.steps} steps in ${summary.seconds.toFixed(0)} s; pictures lie in ${out}/images`)

  const features = await model.encoder.encode(await photos.get(0))
  console.log(`features of one image: [${features.shape}]`) // class token first, then one vector a patch
  await model.dispose()
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
