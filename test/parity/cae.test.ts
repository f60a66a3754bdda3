import { join } from 'node:path'

import { ContextAutoencoder } from '../../src/api/model.js'
import { Trainer } from '../../src/api/trainer.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { readGolden } from '../support/golden.js'
import { climb, type Rung } from '../support/ladder.js'
import { sharedFile } from '../support/shared-data.js'

const api = { ContextAutoencoder, Trainer }

async function rungsOf(path: string): Promise<Rung[]> {
  const rungs: Rung[] = []
  for await (const rung of climb(await readGolden(path, openSafetensors), api)) rungs.push(rung)
  return rungs
}

function expectNoMiss(rungs: readonly Rung[]): void {
  expect(rungs.filter(({ ok }) => !ok).map(({ name, worst, tolerance, detail }) => `${name}: ${worst} > ${tolerance} (${detail})`)).toEqual(
    [],
  )
}

describe('the network against the authors’ code', () => {
  test('climbs every rung of the fixture', async () => {
    const rungs = await rungsOf(join(__dirname, '../fixtures/cae_micro.safetensors'))
    expectNoMiss(rungs)
    expect(rungs.length).toBeGreaterThan(300)
  })

  test.each(['cae_proj', 'cae_nols', 'cae_rect'])('climbs every rung of %s', async (name) => {
    const path = sharedFile(`golden/${name}.safetensors`)
    if (path !== undefined) expectNoMiss(await rungsOf(path))
  })
})
