import { execFile } from 'node:child_process'
import { join } from 'node:path'

const root = join(__dirname, '..', '..')

/** What a finished command left behind. */
export interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built `cae-torch`; `npm test` builds it first. No terminal, no colours. */
export function runCli(
  args: readonly string[],
  o: { readonly nodeFlags?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const command = [...(o.nodeFlags ?? []), join(root, 'lib/cli/main.js'), ...args]
  const env = { ...process.env, OMP_NUM_THREADS: '1', NO_COLOR: '1', ...o.env }
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env, cwd: root }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ status, stdout, stderr })
    })
  })
}
