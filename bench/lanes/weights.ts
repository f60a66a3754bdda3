/** Our side of the weights bench, a process of its own so that its memory can be read: one JSON line in, one out. */
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { Encoder, exportModel } from '#lib/index.js'
import { type SafetensorsEntry, writeSafetensors } from '#lib/io/safetensors.js'
import { openTensorFile } from '#lib/io/tensor-file.js'
import { loadAddon } from '#lib/native/load.js'
import { readMemory } from '../harness/memory.js'

const Request = z.object({
  do: z.enum(['read', 'model', 'write', 'export', 'memory']),
  path: z.string().default(''),
  from: z.string().default(''),
})

/** Every tensor in an array of its own. */
async function read(path: string): Promise<SafetensorsEntry[]> {
  await using file = await openTensorFile(path)
  return await Promise.all([...file.tensors.keys()].map(async (name) => ({ name, ...(await file.read(name)) })))
}

const load = (path: string) => Encoder.load(path, { device: 'cpu' })

async function main(): Promise<void> {
  const entries = new Map<string, SafetensorsEntry[]>()
  const encoders = new Map<string, Encoder>()
  const answer = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
  await loadAddon() // as the peer has imported torch
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: kind, path, from } = Request.parse(JSON.parse(line))
    if (kind === 'memory') {
      answer(await readMemory())
      continue
    }
    if (kind === 'write' && !entries.has(from)) entries.set(from, await read(from))
    if (kind === 'export' && !encoders.has(from)) encoders.set(from, await load(from))
    const encoder = encoders.get(from)
    globalThis.gc?.() // what the last call left behind; the peer's is gone by its count of references
    const before = process.cpuUsage()
    const start = process.hrtime.bigint()
    let made: Encoder | undefined
    if (kind === 'read') await read(path)
    else if (kind === 'model') made = await load(path)
    else if (kind === 'write') await writeSafetensors(path, entries.get(from) ?? [])
    else if (encoder) await exportModel(encoder, { format: 'timm', out: path })
    const ms = Number(process.hrtime.bigint() - start) / 1e6
    const { user, system } = process.cpuUsage(before)
    answer({ ms, cpuMs: (user + system) / 1e3 })
    await made?.dispose()
  }
}

void main()
