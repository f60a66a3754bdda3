// One command line from every checkpoint of data/checkpoints.tar.gz to features, and how far those are from timm's or transformers' own:
//   node test/interop/checkpoints.mjs [FOLDER]    CAE_PYTHON: a Python with timm, transformers, safetensors and Pillow
// FOLDER is the unpacked archive (default: ../shared/data/checkpoints.tar.gz, unpacked). Prints each command, what it gave, and for what is no
// encoder the reason why it is refused. Exits 1 when a difference is above 1e-5 of the largest value or a refusal gives no reason.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'

const root = join(import.meta.dirname, '../..')
const require = createRequire(import.meta.url)
const { inspect } = require(join(root, 'lib/index.js'))
const { openSafetensors } = require(join(root, 'lib/io/safetensors.js'))
const tolerance = 1e-5
const heads = ['--num-heads', '2'] // what neither tensors nor a config.json tell

/** File below made/, who loads it in Python, flags, what stands for an image. */
const encoders = [
  ['hf-vit-random', 'hf-vit', []],
  ['hf-beit-random', 'hf-beit', []],
  ['hf-vitmae-random', 'hf-mae', []],
  ['hf-dinov2-random', 'hf-dinov2', []],
  ['timm-vit-random.safetensors', 'timm', heads],
  ['timm-beit-random.pth', 'timm-beit', [], 'avg'],
  ['mae-style-random.pth', 'mae', heads],
  ['mocov3-style-random.pth.tar', 'moco', heads],
  ['dino-style-random.pth', 'dino', heads],
  ['vit-random-half.pth', 'timm', heads],
  ['vit-random-bf16.safetensors', 'timm', heads],
].map(([file, kind, flags, feature = 'cls']) => ({ file, kind, flags, feature }))

const work = mkdtempSync(join(tmpdir(), 'cae-checkpoints-'))
let misses = 0

function run(file, args) {
  return spawnSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
}

/** The archive, unpacked; undefined, said aloud, where it is not there. */
function unpacked() {
  const [given] = process.argv.slice(2)
  if (given !== undefined) return given
  const archive = join(process.env.CAE_TEST_DATA ?? join(root, '../shared/data'), 'checkpoints.tar.gz')
  if (!existsSync(archive)) return console.log(`SKIPPED: ${archive} is not here (CAE_TEST_DATA names its folder)`)
  run('tar', ['-xf', archive, '-C', work])
  return join(work, 'checkpoints')
}

/** Pictures of the encoders' own size, so that no two ways of resizing are compared. */
async function writePictures(folder) {
  mkdirSync(folder)
  const assets = join(root, 'node_modules/@lobehub/fluent-emoji-3d/assets')
  const names = readdirSync(assets)
  for (let i = 0; i < 16; i++) {
    const source = join(assets, names[Math.floor((i * names.length) / 16)])
    const picture = sharp(source).flatten({ background: '#7faadd' }).resize(32, 32, { fit: 'cover' })
    await picture.png().toFile(join(folder, `${String(i).padStart(2, '0')}.png`))
  }
}

/** Runs `cae-torch` as a user types it; the line is printed with the places shortened. */
function command(args, folder) {
  console.log(`$ cae-torch ${args.join(' ').replaceAll(`${folder}/`, '').replaceAll(`${work}/`, '')}`)
  return run(process.execPath, [join(root, 'lib/cli/main.js'), ...args])
}

async function features(path) {
  const file = await openSafetensors(path)
  const read = await file.readFloat32('features')
  await file.close()
  return read
}

function difference(got, want) {
  if (got.shape.join() !== want.shape.join()) return Number.POSITIVE_INFINITY
  const largest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return want.data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - got.data[i])), 0) / largest
}

async function compareEncoders(folder, pictures) {
  const cases = []
  for (const { file, kind, flags, feature } of encoders) {
    const path = join(folder, 'made', file)
    const out = join(work, `${file}.features.safetensors`)
    const { status, stdout, stderr } = command(['embed', path, ...flags, '--feature', feature, '--data', pictures, '--out', out], folder)
    console.log(`  ${(status === 0 ? stdout.split('\n')[0] : stderr).replaceAll(`${work}/`, '')}`)
    if (status !== 0) {
      misses++
      continue
    }
    const { title, config } = await inspect(path, flags.length > 0 ? { numHeads: 2 } : {})
    cases.push({ name: file, kind, path, mean: config.mean, std: config.std, images: pictures, title, feature, out })
  }
  writeFileSync(join(work, 'cases.json'), JSON.stringify(cases))
  const python = process.env.CAE_PYTHON ?? 'python3'
  const made = run(python, [join(import.meta.dirname, 'checkpoints.py'), join(work, 'cases.json'), join(work, 'theirs.safetensors')])
  if (made.status !== 0) {
    console.error(`${python} did not load the checkpoints (CAE_PYTHON names another):\n${made.error?.message ?? made.stderr}`)
    process.exitCode = 2
    return
  }
  console.log(`\n# difference from the features of ${made.stdout.trim()}, over their largest value`)
  const theirs = await openSafetensors(join(work, 'theirs.safetensors'))
  for (const { name, title, feature, out } of cases) {
    const value = difference(await features(out), await theirs.readFloat32(`${name}.${feature}`))
    const isOk = value <= tolerance
    if (!isOk) misses++
    console.log([name.padEnd(28), title.padEnd(44), feature, value.toExponential(1), isOk ? 'ok' : 'MISS'].join('  '))
  }
  await theirs.close()
}

/** What is left: tokenizers are said to be such, everything else is refused with a reason. */
function others(folder) {
  const known = new Set(encoders.map(({ file }) => file))
  const files = ['made', 'real'].flatMap((part) =>
    readdirSync(join(folder, part), { withFileTypes: true })
      .filter((entry) => entry.isFile() && !known.has(entry.name))
      .map(({ name }) => join(folder, part, name)),
  )
  console.log('\n# files that are no encoder')
  for (const path of files) {
    const { status, stdout } = command(['inspect', path, '--json'], folder)
    const { usable, title, what } = JSON.parse(stdout)
    console.log(`  ${usable ? title : `refused: ${what}`}`)
    if (usable ? status !== 0 || !path.includes('dalle') : status !== 6 || !what) misses++
  }
}

try {
  const folder = unpacked()
  if (folder !== undefined) {
    const pictures = join(work, 'pictures')
    await writePictures(pictures)
    await compareEncoders(folder, pictures)
    others(folder)
    if (misses > 0) process.exitCode = 1
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
