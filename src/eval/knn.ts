import { type KnnConfig, knnFields } from '../config/eval.js'
import { CaeError } from '../errors.js'
import { loadAddon } from '../native/load.js'
import { commonClasses, type FeatureBank, makeFeatureBank, rowsOf } from './feature-bank.js'
import { countRight } from './metrics/accuracy.js'
import { weightedVotes } from './metrics/knn-vote.js'
import type { EvalContext, EvalResult, EvalTask } from './task.js'

/** Numbers of neighbours that everyone reports (spec/downstream.md 2.3). */
const reportedKs = [10, 20, 100, 200]

/** Queries searched at a time: counting their votes takes a few milliseconds of the event loop. */
const queriesPerCall = 256

/** Accuracies for one number of neighbours, in percent. */
export interface KnnAccuracy {
  readonly accuracy: number
  readonly top5: number
}

export interface KnnResult extends EvalResult {
  readonly task: 'knn'
  readonly k: number
  readonly temperature: number
  readonly feature: KnnConfig['feature']
  /** For 10, 20, 100 and 200 neighbours, as far as there are so many training images, and for `k`. */
  readonly perK: Readonly<Record<number, KnnAccuracy>>
}

/** Weighted nearest neighbours, as DINO does it: the training images are the bank, the test images the queries (spec/downstream.md 2). */
export const knnTask: EvalTask<'knn', typeof knnFields, KnnResult> = { name: 'knn', fields: knnFields, run: runKnn }

async function runKnn({ extractor, train, test, signal, onProgress }: EvalContext, config: KnnConfig): Promise<KnnResult> {
  const began = performance.now()
  const { k, temperature, feature, precision } = config
  checkEnough(k, train.length)
  const encode = { config, feature, precision, normalize: true, signal }
  const bank = await makeFeatureBank(extractor, {
    ...encode,
    dataset: train,
    onImages: (done) => onProgress?.({ stage: 'train-features', done, total: train.length }),
  })
  const queries = await makeFeatureBank(extractor, {
    ...encode,
    dataset: test,
    onImages: (done) => onProgress?.({ stage: 'test-features', done, total: test.length }),
  })
  const classes = commonClasses(train, test, [bank.labels, queries.labels])
  const perK = await accuracies(bank, queries, { k, temperature, classes, signal })
  const own = perK[k]
  if (own === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: `no accuracy for k = ${k}` })
  return {
    task: 'knn',
    ...own,
    k,
    temperature,
    feature,
    perK,
    classes,
    trainImages: bank.labels.length,
    testImages: queries.labels.length,
    badImages: [...bank.badImages, ...queries.badImages],
    seconds: (performance.now() - began) / 1000,
  }
}

/**
 * Accuracies of a weighted vote for `k` and the usual numbers of neighbours.
 * @param bank rows of length 1, as are those of `queries`
 */
export async function accuracies(
  bank: FeatureBank,
  queries: FeatureBank,
  o: { readonly k: number; readonly temperature: number; readonly classes: number; readonly signal?: AbortSignal | undefined },
): Promise<Record<number, KnnAccuracy>> {
  checkEnough(o.k, bank.labels.length)
  const addon = await loadAddon()
  const counts = [...new Set([...reportedKs.filter((k) => k <= bank.labels.length), o.k])].map((k) => ({ k, first: 0, five: 0 }))
  const most = Math.max(...counts.map(({ k }) => k))
  const total = queries.labels.length
  for (let from = 0; from < total; from += queriesPerCall) {
    o.signal?.throwIfAborted()
    const to = Math.min(from + queriesPerCall, total)
    const neighbors = await addon.nearestNeighbors(bank.features, rowsOf(queries.features, from, to), most)
    const labels = queries.labels.subarray(from, to)
    for (const count of counts) {
      const votes = weightedVotes(neighbors, bank.labels, { k: count.k, temperature: o.temperature, classes: o.classes })
      count.first += countRight(votes, labels, 1)
      count.five += countRight(votes, labels, Math.min(5, count.k)) // of fewer than five neighbours no five classes can be meant
    }
  }
  return Object.fromEntries(counts.map(({ k, first, five }) => [k, { accuracy: (100 * first) / total, top5: (100 * five) / total }]))
}

function checkEnough(k: number, rows: number): void {
  if (k <= rows) return
  throw new CaeError('ERR_CAE_OPTION', { what: `k is ${k}, there are only ${rows} training images`, todo: `a k of at most ${rows}` })
}
