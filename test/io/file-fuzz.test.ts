import { fuzzFiles } from '../support/fuzz-files.js'

jest.setTimeout(300_000) // 10 s on a quiet machine

// Many more: test/soak/fuzz-files.ts
test('5,000 damaged files of every format load or are refused by a coded error, in little time and memory', async () => {
  const { loaded, refused, grownMb } = await fuzzFiles({ runs: 5000, seed: 20_260_101 })
  expect(loaded + refused).toBe(5000)
  expect(loaded).toBeGreaterThan(100) // some damage does not matter: else only the first check would be tried
  expect(refused).toBeGreaterThan(1000)
  expect(grownMb).toBeLessThan(500)
})
