import { BackgroundWriter } from '../../src/train/background-writer.js'

test('goes on while something is written, and waits for it when asked', async () => {
  await using writer = new BackgroundWriter()
  const log: string[] = []
  let finish = (): void => undefined
  writer.begin(() => new Promise<void>((resolve) => (finish = resolve)).then(() => void log.push('written')))
  writer.throwIfFailed()
  log.push('training')
  finish()
  await writer.idle()
  expect(log).toEqual(['training', 'written'])
})

test('throws a failure at every later call, and never as an unhandled rejection', async () => {
  const full = new Error('disk full')
  const writer = new BackgroundWriter()
  writer.begin(() => Promise.reject(full))
  await new Promise(setImmediate)
  expect(() => writer.throwIfFailed()).toThrow(full)
  await expect(writer.idle()).rejects.toBe(full)
  await writer[Symbol.asyncDispose]() // whatever ended the run is what to tell
})
