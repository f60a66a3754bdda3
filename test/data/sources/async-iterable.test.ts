import { type FromAsyncIterableOptions, fromAsyncIterable, type StreamedImage } from '../../../src/data/sources/async-iterable.js'
import { drawImage } from '../../support/images.js'

/** A stream that reuses its buffer and says how far it was read. */
function stream(count: number) {
  const buffer = Buffer.alloc(10)
  const state = { given: 0, ended: false }
  async function* images(): AsyncGenerator<StreamedImage> {
    try {
      for (; state.given < count; state.given++) {
        yield buffer.fill(state.given)
        buffer.fill(255)
      }
    } finally {
      state.ended = true
    }
  }
  return { images: images(), state }
}

test('takes all, with bytes of its own', async () => {
  const set = await fromAsyncIterable(stream(3).images)
  expect(set.length).toBe(3)
  expect([0, 1, 2].map((index) => (set.get(index) as Uint8Array)[9])).toEqual([0, 1, 2])
  expect([set.label, set.name?.(1)]).toEqual([undefined, '#1'])
})

test('takes so many, and ends the stream', async () => {
  const { images, state } = stream(1000)
  expect((await fromAsyncIterable(images, { count: 5 })).length).toBe(5)
  expect(state).toEqual({ given: 4, ended: true })
})

test('labels, names, pixels, and streams that are not asynchronous', async () => {
  const picture = drawImage(1, 4)
  const set = await fromAsyncIterable([{ image: picture, label: 1, name: 'first' }, { image: 'a.jpg' }, picture], { classes: ['a', 'b'] })
  expect([set.get(0), set.get(1), set.get(2)]).toEqual([picture, 'a.jpg', picture])
  expect([set.label?.(0), set.label?.(1), set.name?.(0), set.classes]).toEqual([1, undefined, 'first', ['a', 'b']])
  expect(() => set.get(3)).toThrow(/image 3 asked of a set of 3/)
})

const reason = new Error('enough')
test.each<[string, FromAsyncIterableOptions, unknown]>([
  ['more bytes than allowed', { maxBytes: 25 }, { code: 'ERR_CAE_DATA', message: expect.stringMatching(/more than maxBytes 25: image 2/) }],
  ['nothing', { count: 0 }, { code: 'ERR_CAE_DATA', message: expect.stringMatching(/gave no image/) }],
  ['an abort', { signal: AbortSignal.abort(reason) }, reason],
])('%s is an error', async (_, options, error) => {
  const { images, state } = stream(3)
  await expect(fromAsyncIterable(images, options)).rejects.toMatchObject(error as Error)
  expect(state.ended || options.count === 0).toBe(true)
})

test('what the stream throws comes through', async () => {
  async function* broken(): AsyncGenerator<StreamedImage> {
    yield Buffer.alloc(1)
    throw reason
  }
  await expect(fromAsyncIterable(broken())).rejects.toBe(reason)
})
