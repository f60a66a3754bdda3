import type { TrainConfig } from '../../src/config/train.js'
import { compareMachines, compareRuns, type RunConfig } from '../../src/train/run-config.js'

const config = (change: { threads?: number; libtorch?: string; cpu?: string }): RunConfig => {
  const { threads = 2, libtorch = '2.13.0', cpu = 'AVX512' } = change
  const versions = { package: '0.1.0', libtorch, node: '22.0.0' }
  const train = { threads } as TrainConfig & { steps: number } // all that is read of it
  return { format: 1, model: {}, train, data: { source: null, images: 1, names: '' }, versions, machine: { cpu } }
}

test.each([
  ['the same machine', {}, {}, undefined],
  ['another library', {}, { libtorch: '2.14.0' }, /libtorch was 2\.13\.0, is 2\.14\.0/],
  ['another processor', {}, { cpu: 'AVX2' }, /cpu was AVX512, is AVX2/],
])('a run that goes on with %s is warned about where bits may differ', (_, before, now, message) => {
  const said = compareMachines(config(before), config(now))
  if (message === undefined) expect(said).toBeUndefined()
  else expect(said).toMatch(message)
})

test('a run of before machines were noted is not warned about', () => {
  const { machine: _, ...before } = config({})
  expect(compareMachines(before, config({}))).toBeUndefined()
})

test('another number of threads is refused; of a run that did not note it, it is not', () => {
  expect(() => compareRuns(config({}), config({ threads: 3 }), 'config.json')).toThrow(/threads was 2, is 3/)
  expect(compareRuns(config({ threads: 0 }), config({ threads: 3 }), 'config.json')).toBeUndefined()
})
