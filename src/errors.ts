/** Every error code of the package, with the exit status the command line gives it. */
const exitCodes = {
  ERR_CAE_OPTION: 2,
  ERR_CAE_SHAPE: 2,
  ERR_CAE_DATA: 3,
  ERR_CAE_BAD_IMAGE: 3,
  ERR_CAE_NO_LIBTORCH: 4,
  ERR_CAE_SETUP: 4,
  ERR_CAE_DEVICE: 4,
  ERR_CAE_OUT_OF_MEMORY: 4,
  ERR_CAE_OUTPUT: 4,
  ERR_CAE_DIVERGED: 5,
  ERR_CAE_COLLAPSED: 5,
  ERR_CAE_SPIKE: 5,
  ERR_CAE_CHECKPOINT: 6,
  ERR_CAE_DISPOSED: 1,
  ERR_CAE_BUSY: 1,
  ERR_CAE_INTERNAL: 1,
} as const

/** Stable name of a kind of failure; branch on this, never on the message. */
export type CaeErrorCode = keyof typeof exitCodes

/** The three parts of every message: what happened, where, and what to do about it. */
export interface CaeErrorParts {
  readonly what: string
  readonly where?: string | undefined
  readonly todo?: string | undefined
}

/** The one error class of this package. Branch on `code`; the message is for people. */
export class CaeError extends Error {
  override readonly name = 'CaeError'

  constructor(
    readonly code: CaeErrorCode,
    readonly parts: CaeErrorParts,
    options?: { cause?: unknown },
  ) {
    const lines = [parts.what, parts.where && `  at: ${parts.where}`, parts.todo && `  try: ${parts.todo}`]
    super(lines.filter(Boolean).join('\n'), options)
  }

  /** Exit status of `cae-torch` when this error ends it (0 done, 1 bug, 2 usage, 3 data, 4 environment, 5 diverged, 6 checkpoint). */
  get exitCode(): number {
    return exitCodes[this.code]
  }
}

/** Whether `value` is one of the package's codes: used where an error arrives from native code. */
export function isCaeErrorCode(value: unknown): value is CaeErrorCode {
  return typeof value === 'string' && Object.hasOwn(exitCodes, value)
}
