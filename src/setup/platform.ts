import { arch, platform, report } from 'node:process'
import { CaeError } from '../errors.js'

/** The C library this Node runs on. */
export type Libc = { readonly kind: 'glibc'; readonly version: string } | { readonly kind: 'musl' | 'none' }

/** libtorch's own libraries carry symbols of this version. */
export const glibcFloor = '2.28'

/** Reads Node's own report: no process is started, nothing is opened. */
export function currentLibc(): Libc {
  if (platform !== 'linux') return { kind: 'none' }
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  const version = header?.glibcVersionRuntime
  return version === undefined ? { kind: 'musl' } : { kind: 'glibc', version }
}

/** Why libtorch cannot run here at all, or undefined. Asked before anything is opened: a musl Node would crash in dlopen instead of failing. */
export function platformProblem(libc: Libc = currentLibc(), system: string = `${platform}-${arch}`): string | undefined {
  if (!['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'].includes(system)) return `there is no supported libtorch for ${system}`
  if (libc.kind === 'musl') return 'this Node runs on musl libc (Alpine), and libtorch is built for glibc only'
  if (libc.kind === 'glibc' && isOlder(libc.version, glibcFloor))
    return `libtorch needs glibc ${glibcFloor} or newer, this is ${libc.version}`
  return undefined
}

/** @throws {CaeError} ERR_CAE_NO_LIBTORCH on a machine where no libtorch can run */
export function assertPlatform(): void {
  const problem = platformProblem()
  if (problem === undefined) return
  throw new CaeError('ERR_CAE_NO_LIBTORCH', {
    what: problem,
    where: `${platform}-${arch}`,
    todo: 'a Debian, Ubuntu or Fedora image, such as node:22-bookworm',
  })
}

function isOlder(version: string, floor: string): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number)
  const [x = 0, y = 0] = floor.split('.').map(Number)
  return a < x || (a === x && b < y)
}
