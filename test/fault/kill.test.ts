import { join } from 'node:path'

import { killTraining } from '../support/kill-training.js'
import { temporaryFolder } from '../support/temporary-folder.js'

jest.setTimeout(240_000) // seven starts of the command line, a second each on a quiet machine

const folder = temporaryFolder()

test('a training killed four times at random moments ends with the bytes of one that was not', async () => {
  const cli = join(__dirname, '../../lib/cli/main.js')
  const { problems, kills } = await killTraining({ cli, folder: folder(), kills: 4, seed: 3, steps: 60 })
  expect({ problems, kills }).toEqual({ problems: [], kills: 4 })
})
