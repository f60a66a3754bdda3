import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { imageFolder } from '../../src/data/sources/image-folder.js'

/** Real files behind the links: file systems allow about 65,000 names a file. */
const realFiles = 25

/** Node alone, and what a name in a folder may take: path, class and the list's own. */
const allowedPeakMiB = (files: number) => 96 + (files * 100) / 2 ** 20

/** What torchvision's `ImageFolder` does to list a folder (spec/ecosystem.md 5.5), and what it costs. */
const python = `
import os, resource, sys, time
root, start, cpu = sys.argv[1], time.perf_counter(), time.process_time()
ends = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')
images = []
for label, name in enumerate(sorted(entry.name for entry in os.scandir(root) if entry.is_dir())):
    for folder, _, files in sorted(os.walk(os.path.join(root, name), followlinks=True)):
        for file in sorted(files):
            if file.lower().endswith(ends):
                images.append((os.path.join(folder, file), label))
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print('{"images": %d, "seconds": %.2f, "cpuSeconds": %.2f, "peakMiB": %d}' % (len(images), seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
`

/** Makes `files` names in `folders` sub-folders. */
function makeLinks(root: string, files: number, folders: number): void {
  mkdirSync(join(root, 'real'))
  const real = Array.from({ length: realFiles }, (_, at) => join(root, 'real', `${at}`))
  for (const path of real) writeFileSync(path, 'not read')
  mkdirSync(join(root, 'images'))
  for (let folder = 0; folder < folders; folder++) {
    const path = join(root, 'images', `class-${String(folder).padStart(4, '0')}`)
    mkdirSync(path)
    for (let at = folder; at < files; at += folders)
      linkSync(real[at % realFiles] ?? '', join(path, `image-${String(at).padStart(7, '0')}.jpg`))
  }
}

/** Lists in this process, which does nothing else. */
async function list(folder: string): Promise<void> {
  let latest = performance.now()
  let longest = 0
  const turn = setInterval(() => {
    longest = Math.max(longest, performance.now() - latest)
    latest = performance.now()
  }, 1)
  const start = performance.now()
  const cpuStart = process.cpuUsage()
  const { length } = await imageFolder(folder)
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpuStart)
  clearInterval(turn)
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024)
  const cpuSeconds = Number(((user + system) / 1e6).toFixed(2))
  const facts = { images: length, seconds: Number(seconds.toFixed(2)), cpuSeconds, peakMiB, longestTurnMs: Math.round(longest) }
  process.stdout.write(`${JSON.stringify(facts)}\n`)
}

interface Facts {
  readonly images: number
  readonly peakMiB: number
}

/** What a process says of its listing, or why there is nothing to say. */
function run(command: string, args: readonly string[]): Facts | string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? JSON.parse(stdout) : `failed: ${stderr?.trim().split('\n').at(-1) ?? status}`
}

/** @throws {Error} when names are missing or the list takes more memory than it may */
function judge(facts: Facts | string, files: number): void {
  if (typeof facts === 'string') throw new Error(facts)
  if (facts.images !== files) throw new Error(`${facts.images} images listed of ${files}`)
  if (facts.peakMiB > allowedPeakMiB(files))
    throw new Error(`${facts.peakMiB} MiB at the peak, ${allowedPeakMiB(files).toFixed(0)} are allowed`)
}

/**
 * Lists a million files, in a thousand folders and in one, beside Python (where there is one) in turn:
 * `npm run soak:list -- [--files N] [--rounds N]`. The files are hard links in the system's temporary folder, removed afterwards. Fails unless
 * all are listed in bounded memory.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      files: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '3' },
      python: { type: 'string', default: 'python3' },
      list: { type: 'string' },
    },
  })
  if (values.list !== undefined) return list(values.list)
  const [files, rounds] = [Number(values.files), Number(values.rounds)]
  for (const folders of [1000, 1]) {
    const root = mkdtempSync(join(tmpdir(), 'cae-million-'))
    try {
      makeLinks(root, files, folders)
      for (let round = 0; round < rounds; round++) {
        const ours = run(process.execPath, [__filename, '--list', join(root, 'images')])
        const theirs = run(values.python, ['-c', python, join(root, 'images')])
        process.stdout.write(`${JSON.stringify({ folders, ours, python: theirs })}\n`)
        judge(ours, files)
      }
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
