import type { CaeError } from '../../src/errors.js'
import { PickleGlobal, type PickleValue, readPickle } from '../../src/io/pickle.js'

const refuse = (reason: string) => new Error(reason) as CaeError
const latin1 = ([value]: readonly PickleValue[]) => new Uint8Array(Buffer.from(value as string, 'latin1'))
const itself = ([value = []]: readonly PickleValue[]) => value
const calls: Readonly<Record<string, (args: readonly PickleValue[]) => PickleValue>> = {
  '_codecs encode': latin1,
  'builtins bytearray': itself,
}
const world = {
  find: (name: string) => new PickleGlobal(name, calls[name]),
  persistent: (id: PickleValue) => ['outside', id],
}

/** Reads a pickle given as text of one character a byte. */
function read(...parts: string[]): PickleValue {
  const bytes = Buffer.from(parts.join(''), 'latin1')
  const found = readPickle(bytes, 0, world, refuse)
  if (!found) throw new Error('ran out')
  expect(found.end).toBe(bytes.length)
  return found.value
}

describe('reading a pickle', () => {
  // Python 3.11: base64.b64encode(pickle.dumps(values, protocol)); from protocol 4 on with a bytearray and a frozenset at the end
  test.each([
    [
      2,
      'gAJdcQAoSwFNLAFKcBEBAEr+////igYAAAAAAAGKB////////x+KBwAAAAAAACCKCQAAAAAAAAAAwEc/+AAAAAAAAE6IWAIAAADDqXEBY19jb2RlY3MKZW5jb2RlCnECWAMAAADDvwBxA1gGAAAAbGF0aW4xcQSGcQVScQYpSwGFcQdLAUsChnEISwFLAksDh3EJKEsBSwJLA0sEdHEKfXELKFgBAAAAYXEMaAhLB1gBAAAAYnENdV1xDihdcQ9dcRBLBWFlaAtlLg==',
    ],
    [
      3,
      'gANdcQAoSwFNLAFKcBEBAEr+////igYAAAAAAAGKB////////x+KBwAAAAAAACCKCQAAAAAAAAAAwEc/+AAAAAAAAE6IWAIAAADDqXEBQwL/AHECKUsBhXEDSwFLAoZxBEsBSwJLA4dxBShLAUsCSwNLBHRxBn1xByhYAQAAAGFxCGgESwdYAQAAAGJxCXVdcQooXXELXXEMSwVhZWgHZS4=',
    ],
    [
      4,
      'gASVsAAAAAAAAABdlChLAU0sAUpwEQEASv7///+KBgAAAAAAAYoH////////H4oHAAAAAAAAIIoJAAAAAAAAAADARz/4AAAAAAAAToiMAsOplEMC/wCUKUsBhZRLAUsChpRLAUsCSwOHlChLAUsCSwNLBHSUfZQojAFhlGgESweMAWKUdV2UKF2UXZRLBWFlaAeMCGJ1aWx0aW5zlIwJYnl0ZWFycmF5lJOUQwJhYpSFlFKUKEsDkZRlLg==',
    ],
    [
      5,
      'gAWVmgAAAAAAAABdlChLAU0sAUpwEQEASv7///+KBgAAAAAAAYoH////////H4oHAAAAAAAAIIoJAAAAAAAAAADARz/4AAAAAAAAToiMAsOplEMC/wCUKUsBhZRLAUsChpRLAUsCSwOHlChLAUsCSwNLBHSUfZQojAFhlGgESweMAWKUdV2UKF2UXZRLBWFlaAeWAgAAAAAAAABhYpQoSwORlGUu',
    ],
  ])('reads what Python writes in protocol %i', (protocol, base64) => {
    const dictionary = new Map<unknown, unknown>([
      ['a', [1, 2]],
      [7, 'b'],
    ])
    const values = [1, 300, 70000, -2, 2 ** 40, 2 ** 53 - 1, 2n ** 53n, -(2n ** 70n), 1.5, null, true, 'é', Uint8Array.of(255, 0)]
    const containers = [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], dictionary, [[], [5]], dictionary]
    const late = protocol >= 4 ? [Uint8Array.of(97, 98), [3]] : []
    expect(read(Buffer.from(base64, 'base64').toString('latin1'))).toEqual([...values, ...containers, ...late])
  })

  test('keeps one object one object', () => {
    const list = read('(]q\x05h\x05j\x05\x00\x00\x00t.') as PickleValue[]
    expect(list).toEqual([[], [], []])
    expect(new Set(list).size).toBe(1)
  })

  test.each<[what: string, bytes: string, value: unknown]>([
    ['text of Python 2, a character a byte', '(U\x01\xe9T\x01\x00\x00\x00xt.', ['é', 'x']],
    ['an integer with a wide length', '\x8b\x02\x00\x00\x00\x00\x80.', -32768],
    ['an integer of no bytes', '\x8a\x00.', 0],
    ['something outside', 'X\x01\x00\x00\x00aQ.', ['outside', 'a']],
    ['attributes of a dictionary, and drops them', '}}X\x01\x00\x00\x00aK\x01sb.', new Map()],
    ['a set that is filled', '\x8f(K\x01K\x02\x90.', [1, 2]],
  ])('reads %s', (_, bytes, value) => {
    expect(read(bytes)).toEqual(value)
  })

  test.each<[what: string, bytes: string, message: RegExp]>([
    ['an opcode of older protocols', 'I1\n.', /unknown opcode 0x49 at byte 0/],
    ['an unknown protocol', '\x80\x06N.', /protocol 6/],
    ['taking from an empty stack', '.', /more from the stack/],
    ['taking below a mark', 'N(s.', /more from the stack/],
    ['an end without a mark', 'Nt.', /end without a mark/],
    ['appending to a number', 'K\x01Na.', /no list/],
    ['items of a list', ']K\x01K\x02s.', /no dictionary/],
    ['a key without a value', '}(K\x01u.', /no dictionary/],
    ['an object that is not there', 'h\x07.', /object 7/],
    ['calling text', 'X\x01\x00\x00\x00a)R.', /cannot be called/],
    ['calling a tag', 'ctorch\nfloat32\n)R.', /calls torch float32/],
    ['arguments that are none', 'c_codecs\nencode\nNR.', /cannot be called/],
    ['a state for plain data', ']}b.', /state to plain data/],
    ['a global named by numbers', 'K\x01K\x02\x93.', /by what is no text/],
    ['a global without an end', `c${'x'.repeat(300)}`, /without an end/],
    ['an integer of a million bytes', `\x8b\x40\x42\x0f\x00${'x'.repeat(100)}`, /1000000 bytes/],
    ['text of 2^63 bytes', '\x8d\x00\x00\x00\x00\x00\x00\x00\x80', /9223372036854775808 bytes/],
    ['dictionaries without end', '}'.repeat(600_000), /more than 500000 lists/],
    ['steps without end', 'N'.repeat(2_100_000), /more than 2000000 steps/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message)
  })

  test('says when the bytes end before it does, wherever they are cut', () => {
    const whole = Buffer.from(
      '\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00(K\x01G\x00\x00\x00\x00\x00\x00\x00\x00ctorch\nfloat32\nt.',
      'latin1',
    )
    for (let bytes = 0; bytes < whole.length; bytes++) {
      expect(readPickle(whole.subarray(0, bytes), 0, world, refuse)).toBeUndefined()
    }
    expect(readPickle(whole, 0, world, refuse)?.end).toBe(whole.length)
    expect(readPickle(Buffer.from('X\xff\xff\xff\x7fa', 'latin1'), 0, world, refuse)).toBeUndefined() // nothing is reserved for 2 GB
  })
})
