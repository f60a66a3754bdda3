import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Encoder } from '../../src/api/encoder.js'
import { importWeights } from '../../src/api/import.js'
import { inspect } from '../../src/api/inspect.js'
import { ContextAutoencoder } from '../../src/api/model.js'
import { Tokenizer } from '../../src/api/tokenizer.js'
import { timmLayout } from '../../src/import/layouts/timm.js'
import { writeSafetensors } from '../../src/io/safetensors.js'
import { makeZip } from '../setup/make-zip.js'
import { drawnTensors, tinyVit, writeForeign } from '../support/foreign-file.js'
import { call, dict, floats, type Pickled, pickle, tensor, text, torchLegacy, torchZip } from '../support/make-torch.js'
import { runCli } from '../support/run-cli.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { tinyModel } from '../support/tiny-model.js'

jest.setTimeout(180_000) // the bombs take some seconds each, many times that where other work runs beside

const folder = temporaryFolder()
const at = (...names: string[]) => join(folder(), ...names)

/** A safetensors file with this header. */
function safetensors(header: unknown, dataBytes: number, headerBytes?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(headerBytes ?? BigInt(json.length))
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)])
}

const entry = (shape: readonly number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })
const raw = (bytes: string): Pickled => Buffer.from(bytes, 'latin1')
const whole = { length: 4, shape: [4], strides: [1] }
const four = floats(1, 2, 3, 4)
const html = '<!DOCTYPE html>\n<html lang="en"><head><title>CDN - not available</title></head><body>Gone</body></html>\n'
const curl =
  '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n' +
  '                                 Dload  Upload   Total   Spent    Left  Speed\n\r  0 85.8M    0  0    0     0\n'
const wget = '--2021-03-01 10:00:00--  https://cdn.example/dall-e/encoder.pkl\nResolving cdn.example... 1.2.3.4\nHTTP request sent\n'

const lies: readonly [what: string, bytes: Buffer, says: RegExp][] = [
  ['a header longer than the file', safetensors('{}', 0, 4000n), /header would end/],
  ['a header longer than any', safetensors('{}', 0, 2n ** 62n), /would be \d+ bytes long/],
  ['tensors that overlap', safetensors({ a: entry([2], 0, 8), b: entry([2], 4, 12) }, 12), /overlaps/],
  ['a tensor out of range', safetensors({ a: entry([4], 0, 16) }, 8), /cut short/],
  ['a negative offset', safetensors({ a: entry([1], -4, 0) }, 4), /data_offsets/],
  ['a negative size', safetensors({ a: entry([-1], 0, 4) }, 4), /shape of "a"/],
  ['a shape that overflows', safetensors({ a: entry([2 ** 32, 2 ** 32], 0, 0) }, 0), /too large/],
  ['one name twice', safetensors('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{}}', 4), /"a" twice/],
  ['a pickle with a negative size', torchZip(dict({ a: tensor({ ...whole, shape: [-4] }) }), { 0: four }), /sizes and strides/],
  ['a pickle with sizes past 2^53', torchZip(dict({ a: tensor({ ...whole, shape: [2n ** 62n] }) }), { 0: four }), /sizes and strides/],
  ['a pickled tensor past its storage', torchLegacy(dict({ a: tensor({ ...whole, offset: 1 }) }), [['0', 4, four]]), /reaches past/],
  [
    'a zip bomb',
    makeZip({ 'archive/data.pkl': pickle(dict({ a: tensor(whole) })), 'archive/data/0': Buffer.alloc(16 << 20) }),
    /is compressed, which torch.save never does/,
  ],
  [
    'a few bytes that ask for petabytes',
    torchZip(dict({ a: tensor({ ...whole, shape: [2 ** 50], strides: [0] }) }), { 0: four }),
    /more often than is allowed/,
  ],
  [
    'a pickle with os.system, zip',
    torchZip(dict({ a: call('os system', text('echo unsafe > PICKLE_RAN')) })),
    /names "os\.system".*nothing of it was run/,
  ],
  ['a pickle with os.system, legacy', torchLegacy(call('posix system', text('echo unsafe > PICKLE_RAN')), []), /names "posix\.system"/],
  ['a recursion bomb', torchZip(dict({ a: raw(`${']'.repeat(100_000)}${'a'.repeat(99_999)}`) })), /more than 100 deep/],
  ['an object that contains itself', torchZip(dict({ a: raw(']q\x01h\x01a') })), /contains itself/],
  ['a memo bomb', torchZip(dict({ a: raw(`]q\x00${'h\x00\x86q\x00'.repeat(60)}`) })), /more than 500000 things/],
  ['a memo of what is not there', torchZip(dict({ a: raw('j\xff\xff\xff\x7f') })), /refers to object 2147483647, which is not there/],
  ['an HTML page', Buffer.from(html), /it is an HTML page, not weights: links to a page about a file/],
  ["curl's log", Buffer.from(curl), /it is the log of a download \(curl or wget\), not what was downloaded/],
  ["wget's log", Buffer.from(wget), /it is the log of a download \(curl or wget\), not what was downloaded/],
]

test.each(lies)('%s: a coded error from everything that takes weights, nothing half loaded', async (_, bytes, says) => {
  await mkdir(at('dall-e'))
  const path = at('dall-e', 'encoder.pkl') // as it happens with DALL-E's links; the name says nothing about the content
  await writeFile(path, bytes)
  await using model = await ContextAutoencoder.create(tinyModel, { seed: 1, device: 'cpu' })
  const before = await model.weights()
  const attempts: Readonly<Record<string, () => Promise<unknown>>> = {
    'Encoder.load': () => Encoder.load(path, { device: 'cpu' }),
    'ContextAutoencoder.load': () => ContextAutoencoder.load(path, { device: 'cpu' }),
    loadWeights: () => model.loadWeights(path),
    'loadWeights, not strict': () => model.loadWeights(path, { strict: false }),
    'Tokenizer.load of the file': () => Tokenizer.load(path, { device: 'cpu' }),
    'Tokenizer.load of the folder': () => Tokenizer.load(at('dall-e'), { device: 'cpu' }),
    importWeights: () => importWeights(path, { out: at('imported') }),
    inspect: () => inspect(path),
  }
  for (const [name, attempt] of Object.entries(attempts)) {
    const error = await attempt().then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect({ name, error }).toMatchObject({
      name,
      error: { name: 'CaeError', code: 'ERR_CAE_CHECKPOINT', exitCode: 6, message: expect.stringMatching(says) },
    })
    expect(String((error as Error).message)).toContain(path)
  }
  expect(await model.weights()).toEqual(before)
  expect(existsSync(at('imported'))).toBe(false)
  expect(existsSync('PICKLE_RAN')).toBe(false)
})

test.each([
  ['an HTML page', html, /HTML page/],
  ["wget's log", wget, /log of a download/],
])('the command line says that encoder.pkl is %s', async (_, content, says) => {
  await mkdir(at('dall-e'))
  await writeFile(at('dall-e', 'encoder.pkl'), content)
  const { status, stdout } = await runCli(['inspect', at('dall-e'), '--json'])
  expect({ status, ...JSON.parse(stdout) }).toMatchObject({
    status: 6,
    usable: false,
    code: 'ERR_CAE_CHECKPOINT',
    what: expect.stringMatching(says),
    where: at('dall-e', 'encoder.pkl'),
  })
})

describe('values that are not finite are taken with a warning', () => {
  const warning = expect.stringMatching(/not finite \(NaN or infinite\): 2 of .*norm\.bias/)

  /** Warnings of the process while `work` runs. */
  async function said(work: () => Promise<unknown>): Promise<unknown[]> {
    const emit = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    try {
      await work()
      return emit.mock.calls
    } finally {
      emit.mockRestore()
    }
  }

  async function spoiledEncoder(): Promise<string> {
    const tensors = drawnTensors(tinyVit())
    tensors.get('norm.bias')?.data.set([Number.NaN, Number.NEGATIVE_INFINITY], 3)
    await writeForeign(at('nan.safetensors'), tensors, timmLayout, 'model.')
    return at('nan.safetensors')
  }

  test('of an encoder: inspect, import and load', async () => {
    const path = await spoiledEncoder()
    expect((await inspect(path, { numHeads: 2 })).warnings).toEqual([warning])
    const report = await importWeights(path, { out: at('ours'), numHeads: 2 })
    expect(report.warnings).toEqual([warning])
    expect(JSON.parse(await readFile(at('ours', 'import.json'), 'utf8')).warnings).toEqual(report.warnings)
    const heard = await said(async () => (await Encoder.load(at('ours'), { device: 'cpu' })).dispose())
    expect(heard).toEqual([[warning, { type: 'CaeWarning', code: 'CAE_WEIGHTS' }]])
    const shown = await runCli(['import', path, '--out', at('again'), '--num-heads', '2'])
    expect(shown).toMatchObject({ status: 0, stdout: expect.stringMatching(/warning +values that are not finite/) })
    expect(await runCli(['inspect', path, '--num-heads', '2'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/warning +values that are not finite/),
    })
  })

  test('of a whole model: the report of loadWeights, and a warning of load', async () => {
    await using model = await ContextAutoencoder.create(tinyModel, { device: 'cpu' })
    const weights = await model.weights()
    weights['encoder.norm.bias']?.data.set([Number.NaN, Number.NEGATIVE_INFINITY])
    const own = weights['encoder.norm.bias']
    const report = await model.loadWeights(weights)
    expect(report.warnings).toEqual([warning])
    expect((await model.weights(['encoder.norm.bias']))['encoder.norm.bias']).toEqual(own)
    await model.save(at('model.safetensors'))
    expect((await inspect(at('model.safetensors'))).warnings).toEqual([warning])
    const heard = await said(async () => (await ContextAutoencoder.load(at('model.safetensors'), { device: 'cpu' })).dispose())
    expect(heard).toEqual([[warning, { type: 'CaeWarning', code: 'CAE_WEIGHTS' }]])
    expect((await model.loadWeights(at('model.safetensors'))).warnings).toEqual([warning])
  })

  test('many tensors make one sentence, and finite extremes none', async () => {
    await using model = await ContextAutoencoder.create(tinyModel, { device: 'cpu' })
    const weights = await model.weights()
    for (const { data } of Object.values(weights)) data[0] = 3e38
    expect((await model.loadWeights(weights)).warnings).toEqual([])
    for (const { data } of Object.values(weights)) data[0] = Number.POSITIVE_INFINITY
    const { warnings } = await model.loadWeights(weights)
    expect(warnings).toEqual([expect.stringMatching(/and those of \d+ more tensors/)])
  })

  test('a file whose header is a lie beside them is refused all the same', async () => {
    await writeSafetensors(at('nan.safetensors'), [{ name: 'cls_token', dtype: 'F32', shape: [2], data: Float32Array.of(Number.NaN, 1) }])
    await expect(Encoder.load(at('nan.safetensors'))).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
  })
})
