import type { Command } from 'commander'
import { type Inspection, inspect, type ModelInspection, type TokenizerInspection } from '../../api/inspect.js'
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
      'cae-torch inspect dall-e',
    ],
    flags: [['--json', 'Print the answer as JSON.']],
    groups: [importGroup],
    footer: 'Exit status: 0 when it can be used, 6 when it is refused.',
  })
    .argument('<path>', "folder of a run, of a checkpoint, of Hugging Face or of DALL-E's tokenizer, or a file of weights")
    .action(inspectPath)
}

async function inspectPath(path: string, { json }: { readonly json?: boolean }, command: Command): Promise<void> {
  try {
    const inspection = await inspect(path, givenFlags(command, [importGroup]))
    if (json) printJson({ usable: true, ...inspection })
    else printTable(rows(inspection))
  } catch (error) {
    if (json && error instanceof CaeError) printJson({ usable: false, code: error.code, ...error.parts })
    throw error
  }
}

function rows(inspection: Inspection): [string, string][] {
  const { path, origin, title, step, tensors, parameters, bytes, uses, warnings } = inspection
  return [
    ['weights', path],
    ['origin', origin],
    ['holds', title],
    ...(inspection.kind === 'tokenizer' ? tokenizerRows(inspection) : modelRows(inspection)),
    ['step', step === null ? 'not known' : String(step)],
    ['size', `${tensors} tensors, ${parameters.toLocaleString('en')} numbers, ${(bytes / 2 ** 20).toFixed(1)} MiB`],
    ['good for', uses.join(', ')],
    ...warnings.map((text): [string, string] => ['warning', text]),
  ]
}

function modelRows({ method, config }: ModelInspection): [string, string][] {
  const [height, width] = config.imageSize
  return [
    ['method', 'target' in config ? `${method}, predicts ${config.normalizeTarget ? 'normalised ' : ''}${config.target}` : method],
    ['images', `${height}x${width} px in patches of ${config.patchSize}`],
    ['encoder', `${config.embedDim} wide, ${config.depth} deep, ${config.numHeads} heads`],
  ]
}

function tokenizerRows({ method, config, vocabSize, downsampling, hasDecoder }: TokenizerInspection): [string, string][] {
  return [
    ['method', method],
    ['codebook', `${vocabSize} codes`],
    ['images', `${config.imageSize.join('x')} px, other sizes too; an id for ${downsampling}x${downsampling} px`],
    ['decoder', hasDecoder ? 'there' : 'not there: ids, but no images of them'],
    ['used by', 'cae-torch pretrain --tokenizer, Tokenizer.load'],
  ]
}
