import { CaeError } from '../errors.js'
import type { Addon } from './addon.js'
import type { AnyHandle } from './types.js'

/**
 * Owner of one native object: gives it out until it is disposed. The addon's own finalizer frees what nobody disposed, at some later time.
 */
export class NativeHandle<Kind extends AnyHandle> implements AsyncDisposable {
  #disposing: Promise<void> | undefined
  readonly #uses = new Set<Promise<unknown>>()

  constructor(
    readonly addon: Addon,
    private readonly raw: Kind,
    /** What messages call it: `model`, `trainer`. */
    private readonly name: string,
  ) {}

  /** @throws {CaeError} ERR_CAE_DISPOSED after `dispose` */
  get(): Kind {
    if (this.#disposing === undefined) return this.raw
    throw new CaeError('ERR_CAE_DISPOSED', { what: `the ${this.name} has been disposed`, todo: 'keep it until its last use' })
  }

  /**
   * Does work of several native calls: a `dispose` that comes meanwhile waits for all of it.
   * @throws {CaeError} ERR_CAE_DISPOSED after `dispose`
   */
  async use<T>(work: (raw: Kind) => Promise<T>): Promise<T> {
    const running = work(this.get())
    this.#uses.add(running)
    try {
      return await running
    } finally {
      this.#uses.delete(running)
    }
  }

  get isDisposed(): boolean {
    return this.#disposing !== undefined
  }

  /** Resolves when work in flight is done and the native memory is free. Further calls return the same promise. */
  dispose(): Promise<void> {
    this.#disposing ??= Promise.allSettled(this.#uses).then(() => this.addon.dispose(this.raw))
    return this.#disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
