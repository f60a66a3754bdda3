// Holds the arrows between the rooms of src/ and of native/ (docs/architecture.md), and the few names that belong to one file alone.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const root = join(import.meta.dirname, '..')

/** Room of src/ -> what it may import. `index.ts` is the room `index`. */
const leaves = ['errors', 'rng']
const low = [...leaves, 'native', 'setup']
const middle = [...low, 'config', 'io']
const upper = [...middle, 'methods', 'data']
const rooms = {
  errors: [],
  rng: ['errors'],
  setup: ['errors', 'io/zip'],
  native: [...leaves, 'setup'],
  config: [...leaves, 'native'],
  io: [...leaves, 'native'],
  methods: [...middle, 'data/dataset'],
  data: middle,
  export: middle,
  import: [...middle, 'methods'],
  train: upper,
  eval: upper,
  report: [...upper, 'train/events', 'train/listeners'],
  api: [...upper, 'import', 'train', 'eval', 'report', 'export'],
  cli: [...upper, 'train', 'eval', 'report', 'api', 'index'],
  index: [...upper, 'train', 'eval', 'report', 'api'],
}

/** Name -> where alone it may appear in src/. */
const owned = [
  { what: "'sharp'", pattern: /from 'sharp'|import\('sharp'\)/, where: /^(data\/|report\/png)/ },
  { what: "'@julusian/jpeg-turbo'", pattern: /'@julusian\/jpeg-turbo'/, where: /^data\// },
  { what: "'commander'", pattern: /from 'commander'/, where: /^cli\// },
  { what: 'the .node file', pattern: /createRequire\(__filename\)\(/, where: /^native\// },
  { what: 'process.exit()', pattern: /\bprocess\.exit\(/, where: /^cli\/exit\.ts$/ },
  {
    what: 'process.env',
    pattern: /\bprocess\.env\b|\{[^}]*\benv\b[^}]*\} from 'node:process'/,
    where: /^(setup\/|cli\/|native\/load\.ts$|train\/ranks\.ts$)/,
  },
]

/** Room of native/ -> what it may include. */
const below = {
  base: [],
  ops: ['base'],
  image: ['base'],
  io: ['base'],
  model: ['base', 'ops'],
  methods: ['base', 'ops', 'model', 'image'],
  tasks: ['base', 'ops', 'model'],
  train: ['base', 'ops', 'model', 'methods', 'tasks', 'image'],
  binding: ['base', 'ops', 'image', 'io', 'model', 'methods', 'tasks', 'train'],
}

const complaints = []

function filesOf(folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((file) => pattern.test(file))
    .sort()
}

for (const file of filesOf('src', /\.ts$/)) {
  const text = readFileSync(join(root, 'src', file), 'utf8')
  const room = roomOf(file)
  for (const [, specifier] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
    const target = posix.normalize(posix.join(posix.dirname(file), specifier)).replace(/\.js$/, '')
    const allowed = rooms[room] ?? []
    if (roomOf(target) === room || allowed.includes(roomOf(target)) || allowed.includes(target)) continue
    complaints.push(`src/${file} imports ${target}: ${room} may import ${allowed.join(', ') || 'nothing'}`)
  }
  for (const { what, pattern, where } of owned) {
    if (pattern.test(text) && !where.test(file)) complaints.push(`src/${file} names ${what}, which belongs to ${where.source}`)
  }
  const siblings = /^(methods|eval)\/([^/]+)\.ts$/.exec(file)
  if (siblings !== null && isMember(siblings[1], siblings[2])) {
    for (const [, other] of text.matchAll(/from '\.\/([^'/]+)\.js'/g)) {
      if (isMember(siblings[1], other))
        complaints.push(`src/${file} imports its sibling ${other}: share through a file that is no member of the registry`)
    }
  }
}

for (const file of filesOf('native', /\.(h|cpp)$/)) {
  const text = readFileSync(join(root, 'native', file), 'utf8')
  const room = file.split('/')[0]
  for (const [, target] of text.matchAll(/#include "([a-z_]+)\//g)) {
    if (target !== room && !(below[room] ?? []).includes(target)) {
      complaints.push(`native/${file} includes ${target}/: ${room} may include ${(below[room] ?? []).join(', ') || 'nothing'}`)
    }
  }
  if (room !== 'binding' && /#include <napi\.h>|node_api\.h/.test(text))
    complaints.push(`native/${file} includes Node-API, which belongs to binding/`)
}

/** First folder of a path in src/, or the name of a file that lies there by itself. */
function roomOf(path) {
  return path.split('/')[0].replace(/\.ts$/, '')
}

/** Whether a file of `methods` or `eval` is an entry of its registry. */
function isMember(room, name) {
  const registry = join(root, 'src', room, 'registry.ts')
  return (
    existsSync(registry) &&
    name !== 'registry' &&
    new RegExp(`from '\\./${name}\\.js'`).test(readFileSync(registry, 'utf8')) &&
    !['method', 'task'].includes(name)
  )
}

if (complaints.length > 0) {
  console.error(complaints.join('\n'))
  process.exitCode = 1
}
