import { nearestName } from '../../src/config/nearest-name.js'

const names = ['batchSize', 'microBatchSize', 'maskCount', 'lr', 'minLr', 'steps', 'seed']

test.each([
  ['bacthSize', 'batchSize'],
  ['batch_size', 'batchSize'],
  ['batch-size', 'batchSize'],
  ['BATCHSIZE', 'batchSize'],
  ['step', 'steps'],
  ['maskCuont', 'maskCount'],
  ['sede', 'seed'],
  ['micro_batch', 'microBatchSize'],
  ['temperature', undefined],
  ['', undefined],
  ['zz', undefined],
])('%j stands for %j', (wrong, right) => {
  expect(nearestName(wrong, names)).toBe(right)
})
