import type { Command } from 'commander'
import type { Inspection } from '../../api/inspect.js'
import { importGroup } from '../../config/option-group.js'
import { CaeError } from '../../errors.js'
import { defineCommand } from '../command.js'
import { givenFlags } from '../flags.js'
import { printJson, printTable } from '../print.js'

export function inspectCommand(): Command {
  return defineCommand({
    name: 'inspect',
    summary: 'Say what a run, a checkpoint or a file of weights holds, and whether it can be used.',
    examples: [
      'cae-torch inspect runs/photos',
      'cae-torch inspect model.safetensors --json',
      'cae-torch inspect mae_pretrain_vit_base.pth',
    ],
    flags: [['--json', 'Print the answer as JSON.']],
    groups: [importGroup],
    footer: 'Exit status: 0 when it can be used, 6 when it is refused.',
  })
    .argument('<path>', 'folder of a run, of a checkpoint or of Hugging Face, or a file of weights')
    .action(inspectPath)
}

async function inspectPath(path: string, { json }: { readonly json?: boolean }, command: Command): Promise<void> {
  const { inspect } = await import('../../api/inspect.js')
  try {
    const inspection = await inspect(path, givenFlags(command, [importGroup]))
    if (json) printJson({ usable: true, ...inspection })
    else printTable(rows(inspection))
  } catch (error) {
    if (json && error instanceof CaeError) printJson({ usable: false, code: error.code, ...error.parts })
    throw error
  }
}

function rows({ path, origin, method, title, config, step, tensors, parameters, bytes, uses }: Inspection): [string, string][] {
  const [height, width] = config.imageSize
  const size = `${height}x${width} px in patches of ${config.patchSize}`
  return [
    ['weights', path],
    ['origin', origin],
    ['holds', title],
    ['method', 'target' in config ? `${method}, predicts ${config.normalizeTarget ? 'normalised ' : ''}${config.target}` : method],
    ['images', size],
    ['encoder', `${config.embedDim} wide, ${config.depth} deep, ${config.numHeads} heads`],
    ['step', step === null ? 'not known' : String(step)],
    ['size', `${tensors} tensors, ${parameters.toLocaleString('en')} numbers, ${(bytes / 2 ** 20).toFixed(1)} MiB`],
    ['good for', uses.join(', ')],
  ]
}
