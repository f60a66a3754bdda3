import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(__dirname, '..', '..')

/** What a finished command left behind. */
export interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

interface CliOptions {
  readonly nodeFlags?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** A command that runs. */
export interface Started {
  readonly finished: Promise<Finished>
  kill(signal: NodeJS.Signals): void
  /** Closes our end of its standard output, as a reader does that has enough. */
  stopReading(): void
  /** Waits until one of its streams has said something. */
  said(stream: 'stdout' | 'stderr', text: string): Promise<void>
}

/** Starts the built `cae-torch`; `npm test` builds it first. No terminal, no colours. */
export function startCli(args: readonly string[], o: CliOptions = {}): Started {
  const command = [...(o.nodeFlags ?? []), join(root, 'lib/cli/main.js'), ...args]
  const env = { ...process.env, OMP_NUM_THREADS: '1', NO_COLOR: '1', ...o.env }
  const running = promisify(execFile)(process.execPath, command, { env, cwd: root })
  const { child } = running
  return {
    finished: running.then(
      (output) => ({ status: 0, ...output }),
      ({ code, stdout, stderr }) => ({ status: typeof code === 'number' ? code : null, stdout, stderr }),
    ),
    kill: (signal) => child.kill(signal),
    stopReading: () => void child.stdout?.destroy(),
    async said(stream, text) {
      const from = child[stream]
      for (let all = ''; !all.includes(text); ) all += (await once(from as NonNullable<typeof from>, 'data'))[0]
    },
  }
}

/** Runs it to its end. */
export const runCli = (args: readonly string[], o?: CliOptions): Promise<Finished> => startCli(args, o).finished
