import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { readLosses } from '../../src/report/metrics-points.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()

test('losses come back in order, without other metrics, without what was not finite, without a torn line', async () => {
  const path = join(folder(), 'metrics.jsonl')
  const lines = [
    { step: 1, epoch: 0.1, loss: 3, loss_main: 2, loss_align: 1, grad_norm: 9, lr: 0.1 },
    { step: 2, epoch: 0.2, loss: null, loss_main: null, loss_align: 1, skipped: true },
  ]
  await writeFile(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"step":3,"lo`)
  expect(await readLosses(path)).toEqual([
    { step: 1, metrics: { loss: 3, loss_main: 2, loss_align: 1 } },
    { step: 2, metrics: { loss_align: 1 } },
  ])
})

test('a missing file is the system’s error', async () => {
  await expect(readLosses(join(folder(), 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
})
