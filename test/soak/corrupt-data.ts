import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { type Dataset, imageFolder, type TrainEvent, trainCAE } from '#lib/index.js'
import { damagedFiles, mishaps, writeMany } from '../support/corrupt-files.js'
import { drawImage, encodeImage } from '../support/images.js'
import { tinyModel } from '../support/tiny-model.js'

/**
 * Trains on many files of which some are damaged, hang, vanish or change while the run goes on, stops it on the way and resumes it, and
 * compares what was set apart with what was done: `npm run soak:corrupt -- [--files N] [--bad SHARE]`.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { files: { type: 'string', default: '20000' }, bad: { type: 'string', default: '0.05' } } })
  const count = Math.round(Number(values.files) / batchSize) * batchSize
  const folder = await mkdtemp(join(tmpdir(), 'cae-corrupt-'))
  const hung = await hungServer()
  try {
    const photos = join(folder, 'photos')
    const plan = await makeFiles(photos, count, Number(values.bad))
    const dataset = withHungImages(await imageFolder(photos), plan.hung, hung.url)
    for (const path of plan.goneBefore) await rm(join(photos, path))
    const report = await train(join(folder, 'run'), photos, dataset, plan)
    const strict = await trainCAE({ ...options(join(folder, 'strict'), dataset), maxBadFraction: 0.01 }).catch((error: unknown) => error)
    const problems = [
      ...report.problems,
      ...(strict instanceof Error && /maxBadFraction 0.01 allows/.test(strict.message) ? [] : ['maxBadFraction 0.01 did not end the run']),
      ...(hung.open() > 0 ? [`${hung.open()} requests were left open`] : []),
    ]
    process.stdout.write(`${JSON.stringify({ files: count, ...report, requests: hung.requests(), problems })}\n`)
    if (problems.length > 0) process.exitCode = 1
  } finally {
    await hung.close()
    await rm(folder, { recursive: true, force: true })
  }
  // A thread or a socket that was left waiting would keep the process alive.
  setTimeout(() => {
    process.stderr.write('the process did not end by itself\n')
    process.exit(1)
  }, 10_000).unref()
}

const batchSize = 50
const epochs = 3
const readTimeout = 0.5

const options = (out: string, data: Dataset) =>
  ({
    data,
    out,
    model: tinyModel,
    epochs,
    batchSize,
    cache: 'off',
    readTimeout,
    threads: 1,
    precision: 'fp32',
    checkpointEvery: 200,
  }) as const

/** Which file is what. */
interface Plan {
  readonly names: readonly string[]
  /** By name: the code that its record must have. */
  readonly expected: ReadonlyMap<string, string>
  readonly goneBefore: readonly string[]
  readonly hung: ReadonlySet<string>
  /** By name: what befalls it in mid-run. */
  readonly later: ReadonlyMap<string, keyof typeof mishaps>
}

/** Writes the files; every n-th is a bad one, of all kinds in turn. Hanging ones are few: each holds the run up for three timeouts. */
async function makeFiles(folder: string, count: number, share: number): Promise<Plan> {
  await mkdir(folder)
  const good = await Promise.all(
    Array.from({ length: 64 }, (_, seed) => encodeImage(drawImage(seed, 40 + seed, 48), seed % 4 === 0 ? 'png' : 'jpeg')),
  )
  const damaged = await damagedFiles()
  const kinds = [...Object.keys(damaged).filter((kind) => damaged[kind]?.good === undefined), 'dangling', 'gone', ...Object.keys(mishaps)]
  const odd = Object.values(damaged).filter((kind) => kind.good)
  const expected = new Map<string, string>()
  const later = new Map<string, keyof typeof mishaps>()
  const goneBefore: string[] = []
  const hung = new Set<string>()
  const files: { name: string; content: Buffer | 'dangling' }[] = []
  const every = Math.round(1 / share)
  for (let index = 0; index < count; index++) {
    const number = Math.floor(index / every)
    const base = String(index).padStart(7, '0')
    if (index % every !== 0) {
      const unusual = index % 97 === 1 ? odd[number % odd.length] : undefined
      files.push({
        name: `${base}.${unusual?.extension ?? 'jpg'}`,
        content: unusual?.content ?? good[index % good.length] ?? Buffer.alloc(0),
      })
      continue
    }
    const isHung = number % hungEvery === 0
    const kind = isHung ? 'hung' : (kinds[number % kinds.length] ?? 'gone')
    const damage = damaged[kind]
    const name = `${base}.${damage?.extension ?? 'jpg'}`
    if (isHung) hung.add(name)
    else if (kind === 'gone') goneBefore.push(name)
    else if (kind in mishaps) later.set(name, kind)
    const code = isHung ? 'ETIMEDOUT' : damage ? 'ERR_CAE_BAD_IMAGE' : (mishaps[kind]?.code ?? 'ENOENT')
    expected.set(name, code)
    files.push({ name, content: kind === 'dangling' ? 'dangling' : (damage?.content ?? good[number % good.length] ?? Buffer.alloc(0)) })
  }
  await writeMany(folder, files)
  return { names: files.map(({ name }) => name), expected, goneBefore, hung, later }
}

/** Bad files for one that hangs. */
const hungEvery = 50

/** Half of the hung images come from a server that does not answer, the others from a promise that nobody keeps. */
function withHungImages(files: Dataset & { readonly paths: readonly string[] }, hung: ReadonlySet<string>, url: string): Dataset {
  const nameOf = (index: number) => files.paths[index]?.split('/').at(-1) ?? ''
  return {
    ...files,
    get(index, signal) {
      if (!hung.has(nameOf(index))) return files.get(index)
      if ((index / 1000) % 2 === 0) return new Promise(() => undefined)
      return fetch(`${url}/${index}`, signal ? { signal } : {}).then(async (response) => new Uint8Array(await response.arrayBuffer()))
    },
  }
}

async function hungServer() {
  let open = 0
  let requests = 0
  const server = createServer((_request, response) => {
    open++
    requests++
    response.on('close', () => open--)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => open,
    requests: () => requests,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Two parts of one run, with the mishaps after the first epoch and a stop in the second. */
async function train(out: string, photos: string, dataset: Dataset, plan: Plan) {
  const late = new Lateness()
  const before = await resources()
  const controller = new AbortController()
  const stop = new Error('stopped on purpose')
  let warnings = 0
  const stopAt = Math.floor((1.5 * dataset.length) / batchSize)
  const hear = async (event: TrainEvent) => {
    if (event.type === 'warning' && event.code === 'ERR_CAE_BAD_IMAGE') warnings++
    if (event.type === 'step' && event.step === 1) late.begin()
    if (event.type === 'epoch' && event.epoch === 1)
      for (const [name, mishap] of plan.later) await mishaps[mishap]?.befall(join(photos, name))
    if (event.type === 'step' && event.step >= stopAt) controller.abort(stop)
  }
  const start = performance.now()
  const first = trainCAE({ ...options(out, dataset), maxBadFraction: 0.1, signal: controller.signal })
  try {
    for await (const event of first) await hear(event)
  } catch (error) {
    if (error !== stop) throw error
  }
  const afterFirst = await resources()
  const result = await trainCAE({ ...options(out, dataset), maxBadFraction: 0.1, resume: 'auto' })
  await result.model.dispose()
  const seconds = Math.round((performance.now() - start) / 1000)
  const bad = (await readFile(join(out, 'bad-images.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line): { name: string; code: string } => JSON.parse(line))
  const found = new Map(bad.map((record) => [record.name.split('/').at(-1) ?? '', record.code]))
  const after = await resources()
  const problems = [
    ...[...plan.expected]
      .filter(([name, code]) => found.get(name) !== code)
      .map(([name, code]) => `${name}: ${found.get(name)}, not ${code}`),
    ...[...found.keys()].filter((name) => !plan.expected.has(name)).map((name) => `${name}: ${found.get(name)}, though it is good`),
    ...(found.size === bad.length ? [] : ['an image has two records']),
    ...(result.summary.badImages === bad.length ? [] : [`the summary counts ${result.summary.badImages} of ${bad.length}`]),
    ...(after.files > before.files + 8 ? [`${after.files - before.files} files were left open`] : []),
  ]
  const codes: Record<string, number> = {}
  for (const { code } of bad) codes[code] = (codes[code] ?? 0) + 1
  const { steps } = result.summary
  return {
    steps,
    seconds,
    expectedBad: plan.expected.size,
    bad: bad.length,
    codes,
    warnings,
    before,
    afterFirst,
    after,
    ...late.end(),
    problems: problems.slice(0, 20),
  }
}

async function resources() {
  const count = async (path: string) => (await readdir(path).catch(() => [])).length
  return {
    rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
    files: await count('/proc/self/fd'),
    threads: await count('/proc/self/task'),
  }
}

/** How late a 10 ms timer of the same process fires. */
class Lateness {
  private readonly late: number[] = []
  private timer: NodeJS.Timeout | undefined

  begin(): void {
    let next = performance.now() + 10
    this.timer ??= setInterval(() => {
      const now = performance.now()
      this.late.push(Math.max(0, now - next))
      next = now + 10
    }, 10)
  }

  end() {
    clearInterval(this.timer)
    const sorted = this.late.sort((a, b) => a - b)
    return { worstLateMs: Math.round(sorted.at(-1) ?? 0), p99LateMs: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0) }
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
})
