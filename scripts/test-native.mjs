// Builds and runs the C++ tests of test/native: npm run test:native. The addon must be built.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'build/native')
if (!existsSync(join(folder, 'CMakeCache.txt'))) {
  console.error('build/native is not there: npm run build first')
  process.exit(2)
}
const jobs = String(availableParallelism())
for (const [program, ...args] of [
  ['cmake', '-S', root, '-B', folder, '-DCAE_TESTS=ON'],
  ['cmake', '--build', folder, '--target', 'cae_tests', '-j', jobs],
  ['ctest', '--test-dir', folder, '--output-on-failure'],
]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, OMP_NUM_THREADS: '2' } })
  if (status === 0 && program !== 'ctest') continue
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  if (status !== 0) process.exit(1)
}
