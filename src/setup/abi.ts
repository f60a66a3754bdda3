/** What libtorch versions this package can be built against, and which of them can stand in for one another. */

export interface TorchVersion {
  readonly major: number
  readonly minor: number
  /** As libtorch writes it, such as `2.13.0+cpu`. */
  readonly text: string
}

/** Fetched by `setup` where nothing else is found. */
export const pinnedVersion = '2.13.0'
/** Fetched by `setup --cuda`. */
export const pinnedCudaVersion = '2.14.1'
export const supportedRange = '2.11 to 2.14'

/** Reads `2.13.0`, `2.13.0+cpu`, `2.14.1a0+git...`; undefined for anything else. */
export function parseTorchVersion(text: string): TorchVersion | undefined {
  const match = /^(\d+)\.(\d+)(?:[.a-z+]|$)/.exec(text.trim())
  if (match === null) return undefined
  return { major: Number(match[1]), minor: Number(match[2]), text: text.trim() }
}

export function isSupported(version: TorchVersion): boolean {
  return version.major === 2 && version.minor >= 11 && version.minor <= 14
}

/** libtorch keeps its C++ interface within a minor version only: an addon built against 2.13 cannot run on 2.14. */
export function isSameAbi(a: string, b: string): boolean {
  const [left, right] = [parseTorchVersion(a), parseTorchVersion(b)]
  return left !== undefined && right !== undefined && left.major === right.major && left.minor === right.minor
}
