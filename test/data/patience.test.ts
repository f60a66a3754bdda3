import { Patience } from '../../src/data/patience.js'

/** How many reads in a row are not waited for. */
function besideOf(patience: Patience): number {
  for (let count = 0; ; count++) if (patience.mayWait()) return count
}

test('fast reads are waited for, whatever one of them takes', () => {
  const patience = new Patience()
  for (let i = 0; i < 1000; i++) patience.waited(i % 200 === 100 ? 20 : 0.02)
  expect(besideOf(patience)).toBe(0)
})

test('slow reads end the waiting for 256 reads, then it is tried again', () => {
  const patience = new Patience()
  for (let i = 0; i < 100 && patience.mayWait(); i++) patience.waited(2)
  expect(besideOf(patience)).toBeGreaterThan(250)
  patience.waited(0.02)
  expect(besideOf(patience)).toBe(0)
})

test('patience is lost at once where waiting shows no sense', () => {
  const patience = new Patience()
  patience.lose()
  expect(besideOf(patience)).toBe(256)
})
