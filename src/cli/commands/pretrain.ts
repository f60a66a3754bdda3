import type { Command } from 'commander'
import { train } from '../../api/train.js'
import { trainGroups } from '../../config/option-group.js'
import { defaultPreset } from '../../config/presets.js'
import { unknownName } from '../../config/resolve.js'
import { methodNames, methods } from '../../methods/registry.js'
import { checkRunOptions, type TrainOptions } from '../../methods/resolve.js'
import { defineCommand } from '../command.js'
import { followRun } from '../follow-run.js'
import { type RunFlags, runOptions } from '../run-options.js'

/** Model options and presets of every method; groups that methods share are there once. */
const modelGroups = [...new Set(Object.values(methods).flatMap(({ groups }) => groups))]
const presetNames = Object.values(methods).flatMap(({ presets }) => Object.keys(presets))

export function pretrainCommand(): Command {
  return defineCommand({
    name: 'pretrain',
    summary: 'Train an encoder on images; no labels are needed.',
    flags: [
      ['--out <folder>', 'Folder that the run writes to.'],
      ['--model <preset>', `Model size: ${presetNames.join(', ')}. (default ${defaultPreset}, or the recipe's)`],
      ['--method <name>', `Pre-training method: ${methodNames.join(', ')}. (default cae)`],
      [
        '--tokenizer <path>',
        "Predict the ids of this tokenizer instead of pixels: a run of cae-torch tokenizer train, its weights, or DALL-E's encoder.pkl.",
      ],
      [
        '--latents <path>',
        'Predict what this frozen encoder makes of the images instead of pixels (CAE v2): a run, or weights of CLIP, DINO, MAE and others.',
      ],
      ['--config <file>', 'YAML or JSON file with options under their names in the API; flags win.'],
      ['--json', 'Print every event as a line of JSON.'],
    ],
    groups: [...trainGroups, ...modelGroups],
    examples: [
      'cae-torch pretrain photos --out runs/photos',
      'cae-torch pretrain photos --out runs/tokens --tokenizer runs/tokenizer',
      'cae-torch pretrain photos --out runs/clip --latents clip-vit-base-patch16',
      'cae-torch pretrain photos --out runs/a --model cae-tiny --image-size 96 --steps 5000',
      "cae-torch pretrain 'photos/**/*.jpg' --config run.yaml --lr 1e-3 --resume auto",
      "cae-torch pretrain 'https://example.org/photos-{000..127}.tar' --out runs/shards",
    ],
  })
    .argument(
      '[data]',
      'folder, list, tar shards, Parquet files or a pattern in quotes (docs/data.md); may stand in the configuration file',
    )
    .action((data: string | undefined, own: RunFlags, command: Command) => pretrain(data, own, command))
}

async function pretrain(data: string | undefined, own: RunFlags, given: Command): Promise<void> {
  const { method } = own
  if (method !== undefined && !(methodNames as string[]).includes(method)) throw unknownName('--method', method, methodNames)
  const options = await runOptions(data, own, { name: 'pretrain', given, trainGroups, modelGroups, checkFile: checkRunOptions })
  const { model } = await followRun((signal) => train({ ...(options as TrainOptions), signal }), own) // `train` checks them
  await model.dispose()
}
