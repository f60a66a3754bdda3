import { join } from 'node:path'
import { ContextAutoencoder } from '../../src/api/model.js'
import { Trainer } from '../../src/api/trainer.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { loadAddon } from '../../src/native/load.js'
import { readGolden } from '../support/golden.js'
import { climb } from '../support/ladder.js'
import { describeOnGpu } from './gpu.js'

/** The tolerances of the ladder are those of a CPU; a GPU adds up float32 products in another order. */
const slack = 20

describeOnGpu('the network on the GPU against the authors’ code', () => {
  test('libtorch sees the GPU', async () => {
    const { cuda, cudaDevices } = (await loadAddon()).version()
    // On failure: the addon was built against a CPU libtorch; `node lib/cli/main.js setup --cuda`, or CAE_LIBTORCH.
    expect({ cuda, hasDevice: cudaDevices > 0 }).toEqual({ cuda: true, hasDevice: true })
  })

  test('climbs every rung of the fixture', async () => {
    process.env.CAE_PARITY_DEVICE = 'cuda'
    const golden = await readGolden(join(__dirname, '../fixtures/cae_micro.safetensors'), openSafetensors)
    const missed: string[] = []
    let count = 0
    for await (const { name, worst, tolerance, detail } of climb(golden, { ContextAutoencoder, Trainer })) {
      count += 1
      if (!(worst <= slack * tolerance)) missed.push(`${name}: ${worst} > ${slack * tolerance} (${detail})`)
    }
    expect(missed).toEqual([])
    expect(count).toBeGreaterThan(300)
  })
})
