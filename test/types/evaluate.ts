import { type EmbeddingFile, type Embeddings, embed } from '../../src/api/embed.js'
import type { Encoder } from '../../src/api/encoder.js'
import { type EvaluateOptions, evaluate, type knn, linearProbe } from '../../src/api/evaluate.js'
import { rawPixels } from '../../src/eval/extractor.js'
import type { KnnResult } from '../../src/eval/knn.js'
import type { LinearResult } from '../../src/eval/linear.js'
import { assertType, type Equal } from './equal.js'

declare const encoder: Encoder
const data = { train: 'a', test: 'b' }

// The task decides what comes out.
const nearest = evaluate(encoder, { task: 'knn', ...data, k: 10 })
assertType<Equal<typeof nearest, Promise<KnnResult>>>()
const probe = evaluate(rawPixels(32), { task: 'linear', ...data, lr: 'auto', views: 'random' })
assertType<Equal<typeof probe, Promise<LinearResult>>>()
assertType<Equal<ReturnType<typeof knn>, Promise<KnnResult>>>()
assertType<Equal<EvaluateOptions<'linear'>['lr'], number | 'auto' | undefined>>()

// A wrong option does not compile.
// @ts-expect-error misspelt
evaluate(encoder, { task: 'knn', ...data, temprature: 1 })
// @ts-expect-error of another task
evaluate(encoder, { task: 'knn', ...data, epochs: 3 })
// @ts-expect-error not a task
evaluate(encoder, { task: 'knnn', ...data })
// @ts-expect-error no test images
evaluate(encoder, { task: 'knn', train: 'a' })
// @ts-expect-error not a feature
linearProbe(encoder, { ...data, feature: 'patches' })

// Where features go decides what comes back.
const inMemory = embed(encoder, 'photos')
assertType<Equal<typeof inMemory, Promise<Embeddings>>>()
const onDisk = embed(encoder, 'photos', { feature: 'patches', out: 'a.npy' })
assertType<Equal<typeof onDisk, Promise<EmbeddingFile>>>()
// @ts-expect-error misspelt
embed(encoder, 'photos', { feture: 'cls' })
