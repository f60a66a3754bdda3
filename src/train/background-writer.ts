/**
 * Writes one thing at a time beside the training. A failure is kept and thrown by every later call: training must not go on for hours with
 * nothing that would outlast it.
 */
export class BackgroundWriter implements AsyncDisposable {
  private running: Promise<void> = Promise.resolve()
  private failure: { readonly error: unknown } | undefined

  /** Begins to write; to be called when the writer is `idle`. */
  begin(write: () => Promise<void>): void {
    this.running = write().catch((error: unknown) => {
      this.failure = { error }
    })
  }

  /** Waits until nothing is being written. @throws what a write has failed with */
  async idle(): Promise<void> {
    await this.running
    this.throwIfFailed()
  }

  /** @throws what a write has failed with */
  throwIfFailed(): void {
    if (this.failure) throw this.failure.error
  }

  /** Waits until nothing is being written; throws nothing: whatever ended the run before is what to tell. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.running
  }
}
