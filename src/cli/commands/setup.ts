import type { Command } from 'commander'
import { runSetup } from '../../setup/setup.js'
import { defineCommand } from '../command.js'
import { interruptible } from '../exit.js'
import { printJson } from '../print.js'

interface SetupFlags {
  readonly from?: string
  readonly cuda?: boolean
  readonly python: boolean
  readonly json?: boolean
}

export function setupCommand(): Command {
  return defineCommand({
    name: 'setup',
    summary: 'Find or fetch libtorch and build the native addon. Does nothing where all is there.',
    flags: [
      ['--from <path>', 'A torch wheel, a libtorch zip, a folder of wheels or a libtorch folder: nothing is fetched then.'],
      ['--cuda', 'Fetch the CUDA libtorch and the NVIDIA libraries that it needs: about 4 GB.'],
      ['--no-python', 'Do not use the torch of an installed Python.'],
      ['--json', 'Print the result as JSON.'],
    ],
    examples: [
      'cae-torch setup',
      'cae-torch setup --cuda',
      'cae-torch setup --from torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl',
    ],
  }).action(setup)
}

async function setup({ from, cuda, python, json }: SetupFlags): Promise<void> {
  const log = (line: string): void => void process.stderr.write(`${line}\n`)
  const said = { ending: 'cleaning up', after: 'nothing half-made is left' }
  const result = await interruptible(said, (signal) => runSetup({ from, cuda, python, log, signal }))
  if (json) return printJson(result)
  const { libtorch, addon, isNew } = result
  process.stdout.write(`${isNew ? 'ready' : 'all is there'}: libtorch ${libtorch.version} in ${libtorch.folder}\n  addon ${addon.path}\n`)
}
