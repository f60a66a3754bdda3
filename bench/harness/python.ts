import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A Python that can import what a peer is made of. */
export interface Python {
  readonly command: string
  readonly version: string
}

/**
 * Finds the Python of the peers: `$CAE_PYTHON` alone when it is set, else `python3`.
 * @returns null, after saying so on stderr, when it cannot import `module`
 */
export async function findPython(module: 'torch' | 'torchvision' = 'torch', env: NodeJS.ProcessEnv = process.env): Promise<Python | null> {
  const command = env.CAE_PYTHON ?? 'python3'
  try {
    const { stdout } = await run(command, ['-c', `import ${module}; print(${module}.__version__)`])
    return { command, version: stdout.trim() }
  } catch (error) {
    const reason = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error)
    process.stderr.write(
      [
        '',
        `!! NO PEER: this bench races against ${module}, and none was found.`,
        `!!   tried: ${command} -c 'import ${module}' (${reason})`,
        `!!   do: python3 -m venv /tmp/peer && /tmp/peer/bin/pip install ${module} numpy, then CAE_PYTHON=/tmp/peer/bin/python`,
        '!! Figures of this package alone follow; the ratio is null.',
        '',
        '',
      ].join('\n'),
    )
    return null
  }
}
