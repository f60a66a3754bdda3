import { SeenContent } from '../../src/data/seen-content.js'

const bytes = (text: string) => Buffer.from(text)
const changed = expect.objectContaining({ code: 'ERR_CAE_BAD_IMAGE', cause: expect.objectContaining({ code: 'CHANGED' }) })

test('the first bytes count; others are refused, the same ones again are not', () => {
  const seen = new SeenContent(3)
  seen.check(1, bytes('one'), 'one.jpg')
  seen.check(1, bytes('one'), 'one.jpg')
  expect(() => seen.check(1, bytes('two'), 'one.jpg')).toThrow(changed)
  expect(() => seen.check(1, bytes('on'), 'one.jpg')).toThrow(changed)
  expect(() => seen.check(1, bytes(''), 'one.jpg')).toThrow(changed)
  seen.check(2, bytes(''), 'empty.jpg') // an empty file has content as well
  expect(() => seen.check(2, bytes('no more'), 'empty.jpg')).toThrow(changed)
})

test('goes on from the sums of an earlier part, unless they are of another set', () => {
  const first = new SeenContent(2)
  first.check(0, bytes('one'), 'one.jpg')
  expect(() => new SeenContent(2, first.sums).check(0, bytes('two'), 'one.jpg')).toThrow(changed)
  new SeenContent(3, first.sums).check(0, bytes('two'), 'one.jpg')
})

test('knows when there is something new to keep', () => {
  const seen = new SeenContent(2)
  expect(seen.takeChanged()).toBe(false)
  seen.check(0, bytes('one'), 'one.jpg')
  expect([seen.takeChanged(), seen.takeChanged()]).toEqual([true, false])
  seen.forget(1)
  expect(seen.takeChanged()).toBe(false)
  seen.forget(0)
  expect(seen.takeChanged()).toBe(true)
  seen.check(0, bytes('two'), 'one.jpg')
})
