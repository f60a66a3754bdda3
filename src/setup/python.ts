import type { Environment } from './cache-folder.js'
import { type ProcessResult, type RunOptions, runProcess } from './run-process.js'

/** A Python 3 interpreter. */
export interface Python {
  readonly command: string
  /** Such as `3.11.7`. */
  readonly version: string
  /** Folder of the torch package it would import; torch itself is not imported. */
  readonly torch: string | undefined
}

const probe = [
  'import importlib.util, json, platform, sys',
  "spec = importlib.util.find_spec('torch') if sys.version_info[0] == 3 else None",
  'places = list(spec.submodule_search_locations or []) if spec else []',
  "print(json.dumps({'version': platform.python_version(), 'torch': places[0] if places else None}))",
].join('\n')

/** The first of `python3` and `python` on the PATH that is a Python 3. */
export async function findPython(env: Environment): Promise<Python | undefined> {
  for (const command of ['python3', 'python']) {
    // Isolated from the current folder (-c puts it first on the path): a file called torch.py there is not a libtorch.
    const { status, stdout } = await runProcess(command, ['-c', `import sys\nsys.path = [p for p in sys.path if p]\n${probe}`], { env })
    if (status !== 0) continue
    const answer = parseAnswer(stdout)
    if (answer !== undefined) return { command, ...answer }
  }
  return undefined
}

function parseAnswer(stdout: string): Omit<Python, 'command'> | undefined {
  const value: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null')
  if (typeof value !== 'object' || value === null || !('version' in value) || typeof value.version !== 'string') return undefined
  if (!value.version.startsWith('3.')) return undefined
  return { version: value.version, torch: 'torch' in value && typeof value.torch === 'string' ? value.torch : undefined }
}

/** Runs `python -m pip`; the user's pip configuration holds, questions are not asked. */
export function pip(python: Python, args: readonly string[], options: RunOptions & { readonly env: Environment }): Promise<ProcessResult> {
  return runProcess(python.command, ['-m', 'pip', ...args, '--no-input', '--disable-pip-version-check'], options)
}
