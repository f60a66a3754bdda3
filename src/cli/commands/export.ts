import type { Command } from 'commander'
import { Encoder } from '../../api/encoder.js'
import { exportModel } from '../../api/export.js'
import { ContextAutoencoder } from '../../api/model.js'
import { placeGroup } from '../../config/option-group.js'
import { defineCommand } from '../command.js'
import { openPlace } from '../place.js'
import { printJson } from '../print.js'

interface OwnFlags {
  readonly format: string
  readonly out: string
  readonly json?: boolean
}

export function exportCommand(): Command {
  return defineCommand({
    name: 'export',
    summary: 'Write a trained model for other programs.',
    flags: [
      ['--format <name>', "timm, huggingface or onnx: the encoder. cae: the whole model under the authors' names.", 'required'],
      ['--out <folder>', 'Folder to write.', 'required'],
      ['--json', 'Print the files as JSON.'],
    ],
    groups: [placeGroup],
    examples: [
      'cae-torch export runs/photos --format huggingface --out photos-hf',
      'cae-torch export runs/photos --format onnx --out photos-onnx',
    ],
  })
    .argument('<run>', 'folder of a run or of a checkpoint, or a .safetensors file')
    .action((run: string, own: OwnFlags, command: Command) => exportRun(run, own, command))
}

async function exportRun(run: string, { format, out, json }: OwnFlags, command: Command): Promise<void> {
  await using model = await (format === 'cae' ? ContextAutoencoder : Encoder).load(run, await openPlace(command))
  const exported = await exportModel(model, { format: format as Parameters<typeof exportModel>[1]['format'], out })
  if (json) printJson(exported)
  else process.stdout.write(`${exported.files.join('\n')}\n`)
}
