import { execFile } from 'node:child_process'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { type BenchContext, type BenchOptions, defineBench, integer } from './harness/bench.js'
import { LineProcess } from './harness/line-process.js'
import { findPython } from './harness/python.js'
import { type Lane, median, race, type Timing } from './harness/rounds.js'
import { temporaryFolder } from './harness/synthetic.js'

const root = join(__dirname, '..', '..')
const script = join(root, 'bench', 'reference', 'weights.py')
const Timed = z.object({ ms: z.number(), cpuMs: z.number() })
const Ready = z.object({ ready: z.literal(true) })
const Versions = Ready.extend({ torch: z.string(), safetensors: z.string() })
const MemoryAnswer = z.object({ peakBytes: z.number() })
const formats = ['pth', 'safetensors'] as const

/** Reading and writing a large file of weights against torch and safetensors in Python, on the same files in the page cache. */
export const weightsBench = defineBench({
  name: 'weights',
  summary:
    'reading 1.2 GB of weights (.pth and .safetensors), into arrays and into a model, and writing them, against torch and safetensors',
  options: {
    /** Blocks of the ViT of width 1024 that the files hold: 24 make 1.2 GB. */
    depth: { type: 'string', default: '24' },
  },
  async run(options: BenchOptions, context: BenchContext) {
    const depth = integer(options, 'depth', { min: 1 })
    const python = await findPython()
    if (python === null) throw new Error('this bench needs a Python with torch and safetensors: it makes the files')
    const folder = await temporaryFolder()
    try {
      context.say('making the files')
      await promisify(execFile)(python.command, [script, '--make', folder, '--depth', String(depth)])
      const file = (format: (typeof formats)[number]) => join(folder, `vit.${format}`)
      const bytes = (await stat(file('safetensors'))).size
      const startPeer = () => new LineProcess('Python', python.command, [script, '--serve', '--depth', String(depth)])

      const timings = new Map<string, Timing>()
      const cpu = new Map<string, number[]>()
      const compare = async (what: string, ours: object, theirs: Readonly<Record<string, object>>) => {
        context.say(what)
        const lane = (name: string, make: () => LineProcess, request: object): Lane => ({
          name,
          // A process for every call, as of a program that loads its weights once: memory that an earlier call left would be faster.
          async run() {
            await using process = make()
            await process.next(Ready)
            const { ms, cpuMs } = await process.request(request, Timed)
            cpu.set(`${what}/${name}`, [...(cpu.get(`${what}/${name}`) ?? []), cpuMs])
            context.say(`    ${name}: ${ms.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms of processor time`)
            return ms
          },
        })
        const lanes = [lane('ours', startOurs, ours), ...Object.entries(theirs).map(([name, request]) => lane(name, startPeer, request))]
        for (const [name, timing] of await race(lanes, { ...raceOptions(context), rounds: context.rounds })) {
          timings.set(`${what}/${name}`, timing)
        }
      }
      for (const format of formats) {
        const path = file(format)
        await compare(`model ${format}`, { do: 'model', path }, { peer: { do: 'model', path } })
      }
      for (const format of formats) {
        const path = file(format)
        const call = format === 'safetensors' ? { call: { do: 'call', path } } : {}
        await compare(`read ${format}`, { do: 'read', path }, { peer: { do: 'read', path }, ...call })
      }
      const from = file('safetensors')
      const out = join(folder, 'written.safetensors')
      await compare(
        'write',
        { do: 'write', from, path: join(folder, 'ours.safetensors') },
        { peer: { do: 'write-synced', from, path: out }, unsynced: { do: 'write', from, path: out } },
      )
      await compare('export', { do: 'export', from, path: join(folder, 'exported') }, { peer: { do: 'write-synced', from, path: out } })
      const figuresOf = (what: string, name: string) => {
        const wall = (lane: string) => timings.get(`${what}/${lane}`)?.medianMs ?? Number.NaN
        const work = (lane: string) => median(cpu.get(`${what}/${lane}`) ?? [])
        return {
          [`${name}Ms`]: wall('ours'),
          [`${name}PeerMs`]: wall('peer'),
          [`${name}Ratio`]: wall('peer') / wall('ours'),
          [`${name}CpuMs`]: work('ours'),
          [`${name}PeerCpuMs`]: work('peer'),
        }
      }

      const peak = async (make: () => LineProcess, path: string) => {
        await using process = make()
        await process.next(Ready)
        await process.request({ do: 'model', path }, Timed)
        return (await process.request({ do: 'memory' }, MemoryAnswer)).peakBytes / bytes
      }
      const memory = async (make: () => LineProcess) => ({
        pth: await peak(make, file('pth')),
        safetensors: await peak(make, file('safetensors')),
      })
      const [ours, theirs] = [await memory(startOurs), await memory(startPeer)]
      await using peer = startPeer()
      const versions = await peer.next(Versions)
      return {
        parameters: { megabytes: Math.round(bytes / 1e6) },
        figures: {
          ...figuresOf('read pth', 'readPth'),
          ...figuresOf('model pth', 'modelPth'),
          ...figuresOf('read safetensors', 'readSafetensors'),
          loadFileCallMs: timings.get('read safetensors/call')?.medianMs ?? null,
          ...figuresOf('model safetensors', 'modelSafetensors'),
          ...figuresOf('write', 'write'),
          writeUnsyncedPeerMs: timings.get('write/unsynced')?.medianMs ?? null,
          ...figuresOf('export', 'export'),
          peakOverModelPth: ours.pth,
          peakOverModelSafetensors: ours.safetensors,
          peerPeakOverModelPth: theirs.pth,
          peerPeakOverModelSafetensors: theirs.safetensors,
        },
        details: {
          bytes,
          torch: versions.torch,
          safetensors: versions.safetensors,
          timings: Object.fromEntries(timings),
          cpuMs: Object.fromEntries(cpu),
        },
        goals: [
          ...['readPth', 'modelPth', 'readSafetensors', 'modelSafetensors', 'write', 'export'].map((name) => ({
            figure: `${name}Ratio`,
            atLeast: 1,
          })),
          { figure: 'peakOverModelPth', atMost: 1.3 },
          { figure: 'peakOverModelSafetensors', atMost: 1.3 },
        ],
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

function startOurs(): LineProcess {
  return new LineProcess('ours', process.execPath, ['--expose-gc', join(__dirname, 'lanes', 'weights.js')])
}

function raceOptions(context: BenchContext) {
  return {
    warmup: 0,
    minRoundMs: 0,
    onRound: (round: number, ms: ReadonlyMap<string, number>) =>
      context.say(`  round ${round + 1}: ${[...ms].map(([name, value]) => `${name} ${value.toFixed(0)} ms`).join(', ')}`),
  }
}
