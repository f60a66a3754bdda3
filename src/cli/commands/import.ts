import type { Command } from 'commander'
import { type ImportReport, importWeights } from '../../api/import.js'
import { importGroup } from '../../config/option-group.js'
import { defineCommand } from '../command.js'
import { givenFlags } from '../flags.js'
import { printJson, printTable } from '../print.js'

interface OwnFlags {
  readonly out: string
  readonly json?: boolean
}

export function importCommand(): Command {
  return defineCommand({
    name: 'import',
    summary: 'Take over an encoder, or a whole Context Autoencoder, that others have trained.',
    flags: [
      ['--out <folder>', 'Folder for model.safetensors and import.json.', 'required'],
      ['--json', 'Print what import.json holds.'],
    ],
    groups: [importGroup],
    examples: [
      'cae-torch import mae_pretrain_vit_base.pth --out mae-base',
      'cae-torch import vit_small.safetensors --image-size 384 --num-heads 6 --out vit-small-384',
    ],
    footer:
      'Known are CAE, MAE, BEiT, DINO, MoCo v3, DeiT, CLIP and DINOv2, as their authors, timm, Hugging Face or mmpretrain write them.',
  })
    .argument('<file>', 'file of weights (.safetensors, .pth, .bin), or a folder of Hugging Face')
    .action((file: string, own: OwnFlags, command: Command) => importFile(file, own, command))
}

async function importFile(file: string, { out, json }: OwnFlags, command: Command): Promise<void> {
  const report = await importWeights(file, { out, ...givenFlags(command, [importGroup]) })
  if (json) printJson(report)
  else printTable([['written to', out], ...rows(report)])
}

function rows({ origin, method, title, config, keys, warnings }: ImportReport): [string, string][] {
  const { imageSize, patchSize, embedDim, depth, numHeads, mean, std } = config
  return [
    ['holds', title],
    ['origin', origin],
    ['method', method],
    ['images', `${imageSize.join('x')} px in patches of ${patchSize}`],
    ['encoder', `${embedDim} wide, ${depth} deep, ${numHeads} heads`],
    ['colours', `mean ${mean.join(', ')}; deviation ${std.join(', ')}`],
    ['matched', `${keys.matched.length} tensors`],
    ...keys.reshaped.map(({ name, from, to }): [string, string] => ['resampled', `${name} [${from.join(', ')}] to [${to.join(', ')}]`]),
    ['not used', listed(keys.unused)],
    ['not known', listed(keys.unexpected)],
    ...warnings.map((text): [string, string] => ['warning', text]),
  ]
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const shown = names.slice(0, 4).join(', ')
  return names.length > 4 ? `${shown} and ${names.length - 4} more` : shown
}
