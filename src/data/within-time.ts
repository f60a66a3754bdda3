/** What ends a wait before its promise settles. */
export interface Limits {
  /** Milliseconds; none: only the signal ends it. */
  readonly timeoutMs?: number | undefined
  readonly signal: AbortSignal
  /** Is told to stop when the wait ends early. */
  readonly cancel?: AbortController | undefined
}

/** Why a wait ended: its time was over. */
export class TimeOver extends Error {
  override readonly name = 'TimeOver'
  readonly code = 'ETIMEDOUT'
}

/** `promise`, or what ends the wait for it if that is earlier: nothing that a user's source does, or fails to do, holds up its caller. */
export function withinTime<Result>(promise: Promise<Result>, { timeoutMs, signal, cancel }: Limits): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = (reason: unknown) => {
      settled()
      reject(reason)
      cancel?.abort(reason)
    }
    const abort = () => end(signal.reason)
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => end(new TimeOver(`no answer in ${timeoutMs / 1000} s`)), timeoutMs)
    const settled = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(settled)
  })
}
