/**
 * A data set of your own: anything with a length and a `get`. Here images are drawn on demand, discs and squares of random size and place; a
 * database, an archive or a web server work the same way: return a path, an encoded file's bytes, or pixels.
 *
 *     node custom-dataset.js _ runs/shapes [STEPS]
 */
import { type Dataset, evaluate, type RawImage, subset, trainCAE } from '@cae/torch'

const size = 64

const shapes: Dataset = {
  length: 600,
  get: (index) => draw(index),
  label: (index) => index % 2,
  classes: ['disc', 'square'],
  name: (index) => `shape ${index}`,
}

/** The same picture for the same index, always: a run can be resumed, and an epoch repeats what the last one showed. */
function draw(index: number): RawImage {
  const noise = (n: number): number => Math.abs(Math.sin(index * 12.9898 + n * 78.233) * 43758.5453) % 1
  const [x, y, radius] = [0.3 + 0.4 * noise(1), 0.3 + 0.4 * noise(2), 0.1 + 0.2 * noise(3)].map((share) => share * size) as [
    number,
    number,
    number,
  ]
  const data = new Uint8Array(size * size * 3).fill(240)
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const [dx, dy] = [Math.abs(column - x), Math.abs(row - y)]
      const inside = index % 2 === 0 ? Math.hypot(dx, dy) < radius : Math.max(dx, dy) < radius
      if (inside) data.set([200 * noise(4), 200 * noise(5), 200 * noise(6)], (row * size + column) * 3)
    }
  }
  return { data, width: size, height: size, channels: 3 }
}

async function main([, out = 'runs/shapes', steps = '500']: string[]): Promise<void> {
  const indices = Array.from({ length: shapes.length }, (_, index) => index)
  const bank = subset(shapes, indices.slice(0, 500))
  const queries = subset(shapes, indices.slice(500))

  const { model } = await trainCAE({ data: bank, out, model: 'cae-nano', steps: Number(steps), batchSize: 32, resume: 'auto' })
  const result = await evaluate(model.encoder, { task: 'knn', train: bank, test: queries })
  console.log(`disc or square, by the nearest neighbours: ${result.accuracy.toFixed(1)} % right`)
  await model.dispose()
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
