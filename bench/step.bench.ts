import { join } from 'node:path'
import { z } from 'zod'
import type { ModelConfig } from '#lib/methods/resolve.js'
import { nativeModelConfig, resolveModel } from '#lib/methods/resolve.js'
import { type BenchContext, type BenchOptions, defineBench, integer, word } from './harness/bench.js'
import { LineProcess } from './harness/line-process.js'
import { flops, stepProducts } from './harness/products.js'
import { findPython } from './harness/python.js'
import { type Lane, race, type Timing } from './harness/rounds.js'

const root = join(__dirname, '..', '..')
export const Timed = z.object({ ms: z.number(), loss: z.number().optional() })
export const Ready = z.object({ ready: z.literal(true) })
const MemoryAnswer = z.object({ rssBytes: z.number(), peakBytes: z.number() })
const attentions = ['sdpa', 'explicit'] as const
const engines = ['blas', 'onednn'] as const

/** One optimizer step of CAE against the same model in eager PyTorch, and against its own matrix products alone. */
export const stepBench = defineBench({
  name: 'step',
  summary: 'one optimizer step against eager PyTorch (both attention paths) and against its matrix products alone',
  options: {
    model: { type: 'string', default: 'cae-small' },
    'batch-size': { type: 'string', default: '8' },
    precision: { type: 'string', default: 'fp32' },
    threads: { type: 'string', default: '2' },
  },
  async run(options: BenchOptions, context: BenchContext) {
    const model = resolveModel(String(options.model))
    const batchSize = integer(options, 'batch-size', { min: 1 })
    const precision = word(options, 'precision', ['fp32', 'bf16'])
    const threads = integer(options, 'threads', { min: 1 })
    const python = await findPython()
    const products = stepProducts(model, batchSize)

    await using lanes = new OpenLanes()
    const ours = lanes.add(startOurs(model, { batchSize, precision, threads }))
    await ours.next(Ready)
    const racers: Lane[] = [stepLane('ours', ours)]
    const peers = new Map<string, LineProcess>()
    for (const attention of python === null ? [] : attentions) {
      const peer = lanes.add(startPeer(python?.command ?? 'python3', model, { batchSize, precision, threads, attention }))
      await peer.next(Ready)
      peers.set(attention, peer)
      racers.push(stepLane(attention, peer))
    }
    const calculator = peers.get('sdpa')
    if (calculator !== undefined) {
      for (const engine of precision === 'fp32' ? engines : (['blas'] as const)) {
        await calculator.request({ do: 'products', engine, products }, Timed)
        racers.push({ name: engine, run: async (repeats) => (await calculator.request({ do: 'products', engine, repeats }, Timed)).ms })
      }
    }
    const timings = await race(racers, {
      rounds: context.rounds,
      warmup: 2,
      minRoundMs: 2000,
      onRound: (round, ms) =>
        context.say(`round ${round + 1}: ${[...ms].map(([name, value]) => `${name} ${value.toFixed(1)} ms`).join(', ')}`),
    })

    // Memory is read from runs of their own: the race's processes have also held the products' operands.
    const memory = await measureMemory(model, { batchSize, precision, threads }, python?.command ?? null)
    const msPerStep = timings.get('ours')?.medianMs ?? Number.NaN
    const peer = fastest(timings, attentions)
    const alone = fastest(timings, engines)
    return {
      parameters: { model: String(options.model), batch: batchSize, precision, threads },
      figures: {
        msPerStep,
        peerMsPerStep: peer?.timing.medianMs ?? null,
        peer: peer === null ? null : `eager PyTorch ${python?.version}, ${peer.name}`,
        ratio: peer === null ? null : peer.timing.medianMs / msPerStep,
        productsMs: alone?.timing.medianMs ?? null,
        overProducts: alone === null ? null : msPerStep / alone.timing.medianMs,
        gflops: flops(products) / msPerStep / 1e6,
        peakMiB: memory.ours / 2 ** 20,
        peerPeakMiB: memory.peer === null ? null : memory.peer / 2 ** 20,
        memoryRatio: memory.peer === null ? null : memory.ours / memory.peer,
      },
      details: { timings: Object.fromEntries(timings), rounds: context.rounds },
      goals: [
        { figure: 'ratio', atLeast: goalOf(String(options.model), precision) },
        { figure: 'overProducts', atMost: 1.25 },
        { figure: 'memoryRatio', atMost: 0.8 },
      ],
    }
  },
})

/** The processes of a race; all end with it. */
class OpenLanes implements AsyncDisposable {
  readonly #open: LineProcess[] = []

  add(lane: LineProcess): LineProcess {
    this.#open.push(lane)
    return lane
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lane of this.#open) await lane[Symbol.asyncDispose]()
  }
}

interface Work {
  readonly batchSize: number
  readonly precision: 'fp32' | 'bf16'
  readonly threads: number
}

function goalOf(model: string, precision: 'fp32' | 'bf16'): number {
  if (model === 'cae-nano') return 1.3
  return precision === 'fp32' ? 1.15 : 1.25
}

/** A process that does our steps; its first line says `Ready`. */
export function startOurs(model: ModelConfig, work: Work, env = process.env): LineProcess {
  const job = { model: nativeModelConfig(model, 'cae'), maskCount: model.maskCount, seed: 0, ...work }
  return new LineProcess('ours', process.execPath, [join(__dirname, 'lanes', 'step.js'), JSON.stringify(job)], env)
}

function startPeer(python: string, model: ModelConfig, work: Work & { readonly attention: string }): LineProcess {
  const { imageSize, patchSize, embedDim, depth, numHeads, mlpRatio, layerNormEps, layerScaleInit } = model
  const { regressorDepth, decoderDepth, decoderDim, decoderHeads, decoderLayerScaleInit } = model
  const config = {
    ...{ imageSize, patchSize, embedDim, depth, numHeads, mlpRatio, layerNormEps, layerScaleInit },
    ...{ regressorDepth, decoderDepth, decoderDim, decoderHeads, decoderLayerScaleInit },
    ...{ target: model.target, vocabSize: model.vocabSize, alignWeight: model.alignWeight, maskCount: model.maskCount },
  }
  const args = ['--serve', '--config', JSON.stringify(config), '--attention', work.attention, '--precision', work.precision]
  const sizes = ['--batch-size', String(work.batchSize), '--threads', String(work.threads)]
  return new LineProcess(`PyTorch (${work.attention})`, python, [join(root, 'bench/reference/cae.py'), ...args, ...sizes])
}

function stepLane(name: string, process: LineProcess): Lane {
  return { name, run: async (repeats) => (await process.request({ do: 'step', repeats }, Timed)).ms }
}

/** Highest resident memory after five steps of a fresh process, ours and the leaner of the peer's attention paths. */
async function measureMemory(model: ModelConfig, work: Work, python: string | null): Promise<{ ours: number; peer: number | null }> {
  const peakOf = async (make: () => LineProcess): Promise<number> => {
    await using lane = make()
    await lane.next(Ready)
    await lane.request({ do: 'step', repeats: 5 }, Timed)
    return (await lane.request({ do: 'memory' }, MemoryAnswer)).peakBytes
  }
  const ours = await peakOf(() => startOurs(model, work))
  if (python === null) return { ours, peer: null }
  const peers: number[] = []
  for (const attention of attentions) peers.push(await peakOf(() => startPeer(python, model, { ...work, attention })))
  return { ours, peer: Math.min(...peers) }
}

function fastest(timings: ReadonlyMap<string, Timing>, names: readonly string[]): { name: string; timing: Timing } | null {
  const found = names.flatMap((name) => {
    const timing = timings.get(name)
    return timing === undefined ? [] : [{ name, timing }]
  })
  return found.sort((a, b) => a.timing.medianMs - b.timing.medianMs)[0] ?? null
}
