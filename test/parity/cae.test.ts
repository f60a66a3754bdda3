import { join } from 'node:path'

import { ContextAutoencoder } from '../../src/api/model.js'
import { Trainer } from '../../src/api/trainer.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import type { F32Tensor } from '../../src/native/types.js'
import { readGolden } from '../support/golden.js'
import { climb, type Rung } from '../support/ladder.js'
import { sharedFile } from '../support/shared-data.js'

const fixture = join(__dirname, '../fixtures/cae_micro.safetensors')
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

/** The fixture with something in it changed. */
async function misses(change: (wanted: Map<string, F32Tensor>) => void): Promise<string[]> {
  const golden = await readGolden(fixture, openSafetensors)
  const wanted = new Map(golden.wanted)
  change(wanted)
  const found: string[] = []
  for await (const { name, ok } of climb({ ...golden, wanted }, api)) if (!ok) found.push(name)
  return found
}

describe('the ladder itself', () => {
  test('misses a value that differs, a NaN, a shape, and a key that nothing computes', async () => {
    const found = await misses((wanted) => {
      const spoil = (key: string, to: (tensor: F32Tensor) => F32Tensor) =>
        wanted.set(key, to(wanted.get(key) ?? { data: new Float32Array(1), shape: [1] }))
      spoil('mid/encoder_block0', ({ data, shape }) => ({ data: data.map((x, i) => (i === 5 ? x + 2e-5 : x)), shape }))
      spoil('grad/mask_token', ({ data, shape }) => ({ data: data.map((x, i) => (i === 5 ? Number.NaN : x)), shape }))
      spoil('out/logits', ({ data, shape }) => ({ data, shape: [...shape].reverse() }))
      for (const key of ['mid/stranger', 'out/stranger', 'grad/stranger', 'final_shared/stranger', 'final_other/stranger'])
        spoil(key, (tensor) => tensor)
    })
    const strangers = ['mid', 'out', 'grad', 'final_shared', 'final_other'].map((room) => `${room}/stranger`)
    expect(found.sort()).toEqual(['grad/mask_token', 'mid/encoder_block0', 'out/logits', ...strangers].sort())
  })

  test('says what a file lacks', async () => {
    await expect(readGolden('nowhere.safetensors', openSafetensors)).rejects.toThrow(/nowhere\.json is missing/)
    await expect(readGolden('nowhere.txt', openSafetensors)).rejects.toThrow(/no \.safetensors/)
  })
})

describe('the network against the authors’ code', () => {
  test('climbs every rung of the fixture', async () => {
    const rungs = await rungsOf(fixture)
    expectNoMiss(rungs)
    expect(rungs.length).toBeGreaterThan(300)
  })

  test.each(['cae_proj', 'cae_nols', 'cae_rect'])('climbs every rung of %s', async (name) => {
    const path = sharedFile(`golden/${name}.safetensors`)
    if (path !== undefined) expectNoMiss(await rungsOf(path))
  })
})
