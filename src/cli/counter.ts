/** A line on a terminal that counts; nothing is shown where standard error is a file or a pipe. */
export interface Counter extends Disposable {
  show(what: string, done: number, total: number): void
  /** Takes the line away. */
  clear(): void
}

export function counter(stream: NodeJS.WriteStream = process.stderr): Counter {
  let shownAt = 0
  const clear = (): void => {
    if (shownAt > 0) stream.write('\r\x1b[K')
    shownAt = 0
  }
  return {
    show(what, done, total) {
      const isDue = performance.now() - shownAt > 100 || done === total
      if (!stream.isTTY || !isDue) return
      shownAt = performance.now()
      stream.write(`\r\x1b[K${what} ${done}/${total}`)
    },
    clear,
    [Symbol.dispose]: clear,
  }
}
