import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import fc from 'fast-check'

import { CaeError } from '../../src/errors.js'
import { writeSafetensors } from '../../src/io/safetensors.js'
import { openTensorFile } from '../../src/io/tensor-file.js'
import { makeZip } from '../setup/make-zip.js'
import {
  call,
  dict,
  floats,
  int,
  list,
  object,
  type Pickled,
  pickle,
  recalled,
  remembered,
  tensor,
  text,
  torchLegacy,
  torchZip,
  tuple,
} from './make-torch.js'

/** What became of the files. */
export interface FuzzReport {
  readonly runs: number
  readonly loaded: number
  readonly refused: number
  readonly seconds: number
  readonly slowestMs: number
  /** How much the process's largest resident memory grew. */
  readonly grownMb: number
}

/** A change to bytes; positions are taken modulo their length. */
type Edit = (bytes: Buffer) => Buffer

/** A file to damage, and how the damaged part becomes a file again. */
interface Source {
  readonly bytes: Buffer
  readonly wrap: (damaged: Buffer) => Buffer
}

/** A damaged file may take no longer than this, on a machine that does other things beside. */
const limitMs = 5000

/**
 * Damages small files of every format and opens them: each must load, or give a coded error, and take little time.
 * @throws fast-check's report, with the seed and the smallest case, when one does not
 */
export async function fuzzFiles(options: { readonly runs: number; readonly seed: number }): Promise<FuzzReport> {
  const folder = await mkdtemp(join(tmpdir(), 'cae-fuzz-'))
  const path = join(folder, 'damaged.pth')
  const sources = await makeSources(path)
  const target = await open(path, 'r+')
  const counts = { loaded: 0, refused: 0, slowestMs: 0 }
  const started = performance.now()
  const before = process.resourceUsage().maxRSS
  const property = fc.asyncProperty(fc.nat(sources.length - 1), fc.array(edits, { minLength: 1, maxLength: 3 }), async (index, changes) => {
    const { bytes, wrap } = sources[index] as Source
    const damaged = wrap(changes.reduce<Buffer>((before, change) => change(before), Buffer.from(bytes)))
    await target.write(damaged, 0, damaged.length, 0) // not `writeFile`: a file system may sync what is cut to nothing first, and takes 4 ms
    await target.truncate(damaged.length)
    const begun = performance.now()
    counts[(await loads(path)) ? 'loaded' : 'refused'] += 1
    counts.slowestMs = Math.max(counts.slowestMs, performance.now() - begun)
    if (performance.now() - begun > limitMs) throw new Error(`took ${performance.now() - begun} ms`)
  })
  try {
    await fc.assert(property, { numRuns: options.runs, seed: options.seed, endOnFailure: true })
  } finally {
    await target.close()
    await rm(folder, { recursive: true, force: true })
  }
  const grownMb = (process.resourceUsage().maxRSS - before) / 1024
  return { runs: options.runs, ...counts, seconds: (performance.now() - started) / 1000, grownMb }
}

/** Whether a file opens and all of it can be read; anything but a coded refusal is thrown. */
async function loads(path: string): Promise<boolean> {
  try {
    await using file = await openTensorFile(path)
    for (const name of file.tensors.keys()) await file.read(name)
    return true
  } catch (error) {
    if (error instanceof CaeError && error.code === 'ERR_CAE_CHECKPOINT') return false
    throw error
  }
}

async function makeSources(path: string): Promise<Source[]> {
  await writeSafetensors(path, [
    { name: 'a', dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    { name: 'b', dtype: 'I64', shape: [1], data: BigInt64Array.of(5n) },
  ])
  const safetensors = await readFile(path)
  const header = safetensors.subarray(8, 8 + Number(safetensors.readBigUInt64LE()))
  const withLength = (json: Buffer): Buffer => {
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(json.length))
    return Buffer.concat([length, json, safetensors.subarray(8 + header.length)])
  }

  const w = remembered(3, tensor({ length: 24, shape: [4, 6], strides: [6, 1] }))
  const root = remembering(
    dict({
      w,
      turned: tensor({ length: 24, shape: [6, 4], strides: [1, 6] }),
      slice: tensor({ length: 24, shape: [2, 2], strides: [0, 3], offset: 5 }),
      epoch: int(7),
      args: object('argparse Namespace', { lr: int(1), sizes: tuple(int(1), int(2)) }),
      device: call('torch device', text('cpu')),
      list: list(recalled(3), int(2n ** 60n)),
      net: object('dall_e.encoder Encoder', { n_hid: int(8), _parameters: dict({ p: recalled(3) }), _modules: dict({}) }),
    }),
  )
  const data = floats(...Array.from({ length: 24 }, (_, at) => at))
  const itself = (damaged: Buffer) => damaged
  const legacy = torchLegacy(root, [['0', 24, data]])
  const start = legacy.indexOf(pickle(root))
  const rest = [legacy.subarray(0, start), legacy.subarray(start + pickle(root).length)] as const
  const inZip: Source = {
    bytes: pickle(root),
    wrap: (damaged) => makeZip({ 'a/data.pkl': damaged, 'a/data/0': data }, { stored: true }),
  }
  const inLegacy: Source = { bytes: pickle(root), wrap: (damaged) => Buffer.concat([rest[0], damaged, rest[1]]) }
  return [
    { bytes: safetensors, wrap: itself },
    { bytes: header, wrap: withLength },
    { bytes: torchZip(root, { 0: data }), wrap: itself },
    { bytes: torchZip(root, { 0: data }, { zip64: true }), wrap: itself },
    { bytes: legacy, wrap: itself },
    ...Array.from({ length: 4 }, () => inZip), // most of what there is to go wrong is in the pickle
    inLegacy,
  ]
}

/** Names every global once and refers to it from then on, as Python does: most damage would hit a name else, and be refused for that. */
function remembering(root: Pickled): Pickled {
  const names = new Map<string, number>()
  const bytes = root.toString('latin1').replace(/c(?:collections|torch[.\w]*|argparse|dall_e\.\w+)\n\w+\n/g, (name) => {
    const index = names.get(name) ?? 100 + names.size
    const isNew = !names.has(name)
    names.set(name, index)
    return (isNew ? remembered(index, Buffer.from(name)) : recalled(index)).toString('latin1')
  })
  return Buffer.from(bytes, 'latin1')
}

/** Numbers at the edges of what sizes, offsets and opcodes can be. */
const edges = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  65535n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]
const opcodes = [
  ...Buffer.from('NJKMGXUTCB()]}taesuqrhjcQRb.', 'latin1'),
  128,
  129,
  133,
  134,
  135,
  136,
  138,
  139,
  140,
  141,
  143,
  144,
  147,
  148,
  149,
]

const position = fc.noBias(fc.nat(100_000)) // else most of them fall on the first bytes
/** Puts bytes over others of the same number, which keeps what follows in its place. */
const overwriting = fc.oneof(
  fc.nat(255).map((value) => Buffer.of(value)),
  fc.integer({ min: 0x20, max: 0x7e }).map((value) => Buffer.of(value)),
  fc.constantFrom(...opcodes).map((value) => Buffer.of(value)),
  fc.tuple(fc.constantFrom(...edges), fc.constantFrom(1, 2, 4, 8)).map(([value, size]) => littleEndian(value, size)),
)
const inserting = fc.oneof(
  fc.constantFrom(...opcodes).map((value) => Buffer.of(value)),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
)
const edits: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(position, overwriting).map(
      ([at, bytes]): Edit =>
        (b) =>
          splice(b, at, bytes.length, bytes),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(position, inserting).map(
      ([at, bytes]): Edit =>
        (b) =>
          splice(b, at, 0, bytes),
    ),
  },
  fc.tuple(position, fc.integer({ min: 1, max: 40 })).map(
    ([at, count]): Edit =>
      (b) =>
        splice(b, at, count, Buffer.alloc(0)),
  ),
  fc.tuple(position, position, fc.integer({ min: 1, max: 60 })).map(
    ([from, to, count]): Edit =>
      (b) =>
        splice(b, to, 0, piece(b, from, count)),
  ),
  position.map(
    (at): Edit =>
      (b) =>
        b.subarray(0, at % (b.length + 1)),
  ),
)

function splice(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  const start = at % Math.max(1, bytes.length)
  return Buffer.concat([bytes.subarray(0, start), added, bytes.subarray(start + removed)])
}

function piece(bytes: Buffer, at: number, count: number): Buffer {
  const start = at % Math.max(1, bytes.length)
  return bytes.subarray(start, start + count)
}

function littleEndian(value: bigint, size: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.subarray(0, size)
}
