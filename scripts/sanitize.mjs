// Runs native code under the compiler's sanitizers: npm run sanitize -- address | undefined | thread. The addon must be built, for its libtorch.
//   address    AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: C++ tests; from Node a training, and the tests of the border
//   undefined  UndefinedBehaviorSanitizer alone, with the pools of tensor memory that AddressSanitizer leaves out: the same
//   thread     ThreadSanitizer: the executor and its shared-out tasks, without libtorch and Node, neither of which is built for it
// Nothing is suppressed. docs/reliability.md says what came of it.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const modes = {
  address: { flags: 'address,undefined', targets: ['cae_torch', 'cae_tests'], preload: ['libasan.so', 'libstdc++.so'] },
  undefined: { flags: 'undefined', targets: ['cae_torch', 'cae_tests'], preload: [] },
  thread: { flags: 'thread', targets: ['executor_test'], preload: [] },
}
const [mode] = process.argv.slice(2)
if (mode === undefined || !(mode in modes)) {
  console.error(`usage: npm run sanitize -- ${Object.keys(modes).join(' | ')}`)
  process.exit(2)
}
const { flags, targets, preload } = modes[mode]
const folder = join(root, 'build', { address: 'asan', undefined: 'ubsan', thread: 'tsan' }[mode])

/** Sanitizers end a program at the first report, with a status of their own. */
const env = {
  ...process.env,
  OMP_NUM_THREADS: '2',
  OMP_WAIT_POLICY: 'passive',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
}
/** Node leaves most of its memory to the end of the process: from there only wrong accesses count, not leaks. */
const nodeEnv = {
  ...env,
  ASAN_OPTIONS: 'detect_leaks=0',
  CAE_TEST_ADDON: join(folder, 'cae_torch.node'),
  NODE_OPTIONS: `--require ${join(root, 'test/support/other-addon.cjs')}`,
  // The sanitizer must come first, and with it what it stands in front of.
  ...(preload.length > 0 && { LD_PRELOAD: preload.map(libraryOfCompiler).join(' ') }),
}

function libraryOfCompiler(name) {
  return execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim()
}

function run(what, file, args, options = {}) {
  const started = Date.now()
  const { status, signal, error } = spawnSync(file, args, { cwd: root, env, stdio: 'inherit', ...options })
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (status === 0) return
  if (signal || error) console.log(`     ended by ${signal ?? error.message}`)
  process.exit(1)
}

function build() {
  const record = join(root, 'build/native/addon.json')
  if (!existsSync(record)) {
    console.error('build/native is not there: npm run build first')
    process.exit(2)
  }
  const { libtorch } = JSON.parse(readFileSync(record, 'utf8'))
  const settings = { CAE_LIBTORCH: libtorch, CAE_SANITIZE: flags, CAE_TESTS: 'ON', CMAKE_LIBRARY_OUTPUT_DIRECTORY: folder }
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] }
  run('configure', 'cmake', ['-S', root, '-B', folder, ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`)], quiet)
  run('build', 'cmake', ['--build', folder, '--target', ...targets, '-j', String(availableParallelism())], quiet)
}

/** What users do, from pixels to checkpoints: two passes of one run, the second resumed, then one in bf16. */
function trainings() {
  const out = mkdtempSync(join(tmpdir(), 'cae-sanitize-'))
  const emoji = join(root, 'node_modules/@lobehub/fluent-emoji-3d/assets/1f60*.webp')
  const pretrain = (name, ...more) => {
    const common = ['--model', 'cae-nano', '--batch-size', '8', '--threads', '2', '--checkpoint-every', '3', '--figure-every', '4']
    return [join(root, 'lib/cli/main.js'), 'pretrain', emoji, '--out', join(out, name), '--json', ...common, ...more]
  }
  const quiet = { env: nodeEnv, stdio: ['ignore', 'ignore', 'inherit'] }
  try {
    run('training in fp32', process.execPath, pretrain('fp32', '--steps', '8', '--precision', 'fp32'), quiet)
    run('resumed at its end', process.execPath, pretrain('fp32', '--steps', '8', '--precision', 'fp32', '--resume', 'auto'), quiet)
    run('training in bf16', process.execPath, pretrain('bf16', '--steps', '4', '--precision', 'bf16'), quiet)
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}

build()
run('C++ tests', 'ctest', ['--test-dir', folder, '--output-on-failure', ...(mode === 'thread' ? ['-R', 'executor_test'] : [])])
if (mode !== 'thread') {
  trainings()
  const jest = join(root, 'node_modules/jest/bin/jest.js')
  run('tests of the border', process.execPath, [jest, 'test/native/border.test.ts', '--testTimeout=300000'], { env: nodeEnv })
}
