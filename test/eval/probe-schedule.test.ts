import { readFileSync } from 'node:fs'

import { checkWarmup, probeRate } from '../../src/eval/probe-schedule.js'
import { sharedFile } from '../support/shared-data.js'

const path = sharedFile('golden/cae_schedules.json')
const ifShared = path === undefined ? test.skip : test

ifShared('rises and falls as the reference does', () => {
  const { args, epoch_lr } = JSON.parse(readFileSync(path ?? '', 'utf8')).linear_probe
  const schedule = { lr: args.lr, warmupEpochs: args.warmup_epochs, epochs: args.epochs }
  for (const [epoch, lr] of epoch_lr) expect(Math.abs(probeRate(schedule, epoch) - lr)).toBeLessThanOrEqual(1e-12)
})

test('without a warm-up it starts at the top', () => {
  expect(probeRate({ lr: 2, warmupEpochs: 0, epochs: 4 }, 0)).toBe(2)
})

test('a warm-up that leaves nothing after it is refused', () => {
  expect(() => checkWarmup({ warmupEpochs: 5, epochs: 5 })).toThrow(/warmupEpochs is 5.*5 epochs[\s\S]*at most 4/)
})
