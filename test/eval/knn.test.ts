import type { FeatureBank } from '../../src/eval/feature-bank.js'
import { accuracies } from '../../src/eval/knn.js'
import { bestClasses } from '../../src/eval/metrics/accuracy.js'
import { weightedVotes } from '../../src/eval/metrics/knn-vote.js'
import { openSafetensors, type SafetensorsFile } from '../../src/io/safetensors.js'
import { loadAddon } from '../../src/native/load.js'
import { sharedFile } from '../support/shared-data.js'

const path = sharedFile('golden/probe_knn.safetensors')
const withGolden = path === undefined ? describe.skip : describe

withGolden('against the DINO evaluation', () => {
  let file: SafetensorsFile
  let bank: FeatureBank
  let queries: FeatureBank
  beforeAll(async () => {
    file = await openSafetensors(path ?? '')
    bank = await normalisedBank('train')
    queries = await normalisedBank('test')
  })
  afterAll(() => file.close())

  async function normalisedBank(split: string): Promise<FeatureBank> {
    const { data, shape } = await file.readFloat32(`${split}_features`)
    const [, width = 1] = shape
    for (let from = 0; from < data.length; from += width) {
      const row = data.subarray(from, from + width)
      const length = Math.hypot(...row)
      for (let i = 0; i < width; i++) row[i] = (row[i] ?? 0) / length
    }
    return { features: { data, shape }, labels: Int32Array.from((await file.read(`${split}_labels`)).data, Number), badImages: [] }
  }

  test.each([1, 5, 10, 20])('votes, predictions and accuracies of %i neighbours', async (k) => {
    const neighbors = await (await loadAddon()).nearestNeighbors(bank.features, queries.features, k)
    const votes = weightedVotes(neighbors, bank.labels, { k, temperature: 0.07, classes: 7 })
    const wanted = (await file.readFloat32(`votes_k${k}`)).data
    for (let cell = 0; cell < wanted.length; cell++) {
      // Ours are divided by the greatest term of their row.
      const greatest = Math.exp((neighbors.similarities.data[Math.floor(cell / 7) * k] ?? 0) / 0.07)
      const value = (votes.data[cell] ?? Number.NaN) * greatest
      expect(Math.abs(value - (wanted[cell] ?? 0))).toBeLessThanOrEqual(1e-5 * Math.abs(wanted[cell] ?? 0) + 1e-5)
    }
    expect([...bestClasses(votes)]).toEqual(Array.from((await file.read(`pred_k${k}`)).data, Number))
    const results = JSON.parse(file.metadata.results ?? '')
    const { accuracy, top5 } = (await accuracies(bank, queries, { k, temperature: 0.07, classes: 7 }))[k] ?? {}
    expect(accuracy).toBeCloseTo(results[`k${k}`].top1, 10)
    expect(top5).toBeCloseTo(results[`k${k}`].top5, 10)
  })

  test('reports the usual numbers of neighbours as far as the bank goes', async () => {
    const perK = await accuracies(bank, queries, { k: 3, temperature: 0.07, classes: 7 })
    expect(Object.keys(perK)).toEqual(['3', '10', '20'])
  })

  test('refuses more neighbours than there are', async () => {
    await expect(accuracies(bank, queries, { k: 81, temperature: 0.07, classes: 7 })).rejects.toMatchObject({
      code: 'ERR_CAE_OPTION',
      message: expect.stringContaining('k is 81, there are only 80 training images'),
    })
  })
})
