import { spawn } from 'node:child_process'
import type { Environment } from './cache-folder.js'

export interface ProcessResult {
  /** Exit status; -1 where the program could not be started at all. */
  readonly status: number
  readonly stdout: string
  /** Last part of what it wrote to standard error. */
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Environment
  readonly cwd?: string
  readonly signal?: AbortSignal
  /** Called with each line of either stream as it comes. */
  readonly onLine?: (line: string) => void
}

const keptCharacters = 200_000

/** Runs a program to its end, without a shell; never rejects on a non-zero status. */
export function runProcess(file: string, args: readonly string[], options: RunOptions = {}): Promise<ProcessResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      env: { ...(options.env ?? process.env) },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      let partial = ''
      child[stream].setEncoding('utf8')
      child[stream].on('data', (chunk: string) => {
        text[stream] = (text[stream] + chunk).slice(-keptCharacters)
        const lines = (partial + chunk).split('\n')
        partial = lines.pop() ?? ''
        for (const line of lines) options.onLine?.(line)
      })
    }
    child.on('error', (error) => resolve({ status: -1, stdout: text.stdout, stderr: error.message }))
    child.on('close', (status) => resolve({ status: status ?? -1, ...text }))
  })
}
