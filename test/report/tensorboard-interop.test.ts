import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

import { tensorBoardListener } from '../../src/report/tensorboard.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startEvent, stepEvent } from './run-events.js'

const folder = temporaryFolder()
const script = join(__dirname, '..', 'interop', 'tensorboard_read.py')
const python = process.env.CAE_PYTHON ?? 'python3'
const hasTensorBoard = spawnSync(python, ['-c', 'import tensorboard']).status === 0
if (!hasTensorBoard) {
  process.stderr.write(`\n!! SKIPPED: TensorBoard's own reader (${python} cannot import tensorboard; set CAE_PYTHON to one that can)\n\n`)
}
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwMAAAAYGAQGAXrpPAAAAAElFTkSuQmCC', 'base64')

const readsIt = hasTensorBoard ? test : test.skip
readsIt(
  "TensorBoard's own reader finds every point and picture, and drops what a resumed run does again",
  async () => {
    const first = tensorBoardListener(folder(), { now: () => 1_700_000_000_000 })
    await first.onEvent(startEvent())
    for (const step of [1, 2, 3]) await first.onEvent(stepEvent(step))
    await first.onEvent({ type: 'figure', step: 3, name: 'reconstruction', path: 'unread.png', png })
    await first.close?.()
    const second = tensorBoardListener(folder(), { now: () => 1_700_000_100_000 })
    await second.onEvent(startEvent({ startStep: 2 }))
    await second.onEvent(stepEvent(3, { metrics: { loss: 9 } }))
    await second.close?.()

    const { stdout, stderr, status } = spawnSync(python, [script, folder()], { encoding: 'utf8' })
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    const found: unknown = JSON.parse(stdout)
    expect(found).toMatchObject({
      scalars: {
        'train/loss': [
          [1, 1],
          [2, 0.5],
          [3, 9],
        ],
        'train/lr': [
          [1, Math.fround(0.001)],
          [2, Math.fround(0.001)],
          [3, Math.fround(0.001)],
        ],
        'speed/images_per_second': [
          [1, 250],
          [2, 250],
          [3, 250],
        ],
      },
    })
    expect(found).toHaveProperty('images')
  },
  30_000,
)
