import type { TrainConfig } from '../../src/config/train.js'
import { compareMachines, type RunConfig } from '../../src/train/run-config.js'

const config = (change: { threads?: number; libtorch?: string; cpu?: string; parallelism?: number }): RunConfig => {
  const { threads = 0, libtorch = '2.13.0', cpu = 'AVX512', parallelism = 8 } = change
  const versions = { package: '0.1.0', libtorch, node: '22.0.0' }
  const train = { threads } as TrainConfig & { steps: number } // all that is read of it
  return { format: 1, model: {}, train, data: { source: null, images: 1, names: '' }, versions, machine: { cpu, parallelism } }
}

test.each([
  ['the same machine', {}, {}, undefined],
  ['another library', {}, { libtorch: '2.14.0' }, /libtorch was 2\.13\.0, is 2\.14\.0/],
  ['another processor', {}, { cpu: 'AVX2' }, /cpu was AVX512, is AVX2/],
  ["fewer threads, where their number is the machine's", {}, { parallelism: 2 }, /CPU threads was 8, is 2/],
  ['fewer threads than are not used', { threads: 1 }, { threads: 1, parallelism: 2 }, undefined],
])('a run that goes on with %s is warned about where bits may differ', (_, before, now, message) => {
  const said = compareMachines(config(before), config(now))
  if (message === undefined) expect(said).toBeUndefined()
  else expect(said).toMatch(message)
})

test('a run of before machines were noted is not warned about', () => {
  const { machine: _, ...before } = config({})
  expect(compareMachines(before, config({}))).toBeUndefined()
})
