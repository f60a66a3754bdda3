import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { z } from 'zod'

/** A child process that answers every JSON line on its stdin with one JSON line on its stdout. */
export class LineProcess implements AsyncDisposable {
  readonly #name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #answers: AsyncIterator<string>
  readonly #exited: Promise<string>
  #stderr = ''

  /** Starts `command`; it stays in this process group, so Ctrl-C ends all lanes of a bench. */
  constructor(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#name = name
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000)
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('close', (code, signal) => resolve(`exit ${code ?? signal}`))
    })
    // A child that died closes its stdin; the missing answer reports it with the child's own words.
    this.#child.stdin.on('error', () => undefined)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a request and reads its answer. */
  async request<T>(message: unknown, schema: z.ZodType<T>): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`)
    return this.next(schema)
  }

  /** The next line; rejects with the end of the child's stderr when there is none. */
  async next<T>(schema: z.ZodType<T>): Promise<T> {
    const line = await this.#answers.next()
    if (line.done === true) throw new Error(`${this.#name} ended (${await this.#exited}):\n${this.#stderr.trim()}`)
    return schema.parse(JSON.parse(line.value))
  }

  /** Closes the child's stdin, which ends it, and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await this.#exited
  }
}
