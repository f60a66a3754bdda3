import type { Command } from 'commander'
import { trainGroups } from '../../config/option-group.js'
import { defaultPreset } from '../../config/presets.js'
import { optionError, unknownName } from '../../config/resolve.js'
import { methodNames, methods } from '../../methods/registry.js'
import { checkRunOptions, overlayRunOptions, type TrainOptions } from '../../methods/resolve.js'
import type { TrainEvent } from '../../train/events.js'
import { defineCommand } from '../command.js'
import { readConfigFile } from '../config-file.js'
import { interruptible } from '../exit.js'
import { givenFlags } from '../flags.js'
import { printJson } from '../print.js'

/** Model options and presets of every method; groups that methods share are there once. */
const modelGroups = [...new Set(Object.values(methods).flatMap(({ groups }) => groups))]
const presetNames = Object.values(methods).flatMap(({ presets }) => Object.keys(presets))

/** Options of the command line alone. */
interface OwnFlags {
  readonly out?: string
  readonly model?: string
  readonly method?: string
  readonly config?: string
  readonly json?: boolean
}

export function pretrainCommand(): Command {
  return defineCommand({
    name: 'pretrain',
    summary: 'Train an encoder on images; no labels are needed.',
    flags: [
      ['--out <folder>', 'Folder that the run writes to.'],
      ['--model <preset>', `Model size: ${presetNames.join(', ')}. (default ${defaultPreset}, or the recipe's)`],
      ['--method <name>', `Pre-training method: ${methodNames.join(', ')}. (default cae)`],
      ['--config <file>', 'YAML or JSON file with options under their names in the API; flags win.'],
      ['--json', 'Print every event as a line of JSON.'],
    ],
    groups: [...trainGroups, ...modelGroups],
    examples: [
      'cae-torch pretrain photos --out runs/photos',
      'cae-torch pretrain photos --out runs/a --model cae-tiny --image-size 96 --steps 5000',
      "cae-torch pretrain 'photos/**/*.jpg' --config run.yaml --lr 1e-3 --resume auto",
    ],
  })
    .argument('[data]', 'folder of images, or a pattern in quotes; may stand in the configuration file')
    .action((data: string | undefined, own: OwnFlags, command: Command) => pretrain(data, own, command))
}

async function pretrain(data: string | undefined, own: OwnFlags, command: Command): Promise<void> {
  const options = await runOptions(data, own, command)
  const [{ train }, { terminalProgress }] = await Promise.all([import('../../api/train.js'), import('../../report/progress.js')])
  const said = { ending: 'finishing the step and writing a checkpoint', after: 'the same command with --resume auto goes on' }
  await interruptible(said, async (signal) => {
    const run = train({ ...options, signal })
    const progress = own.json ? { onEvent: printEvent, close: () => undefined } : terminalProgress()
    try {
      for await (const event of run) progress.onEvent(event)
    } finally {
      progress.close()
    }
    await (await run).model.dispose()
  })
}

/** Configuration file, then flags; `train` checks what comes out. */
async function runOptions(data: string | undefined, { out, model, method, config }: OwnFlags, command: Command): Promise<TrainOptions> {
  const file = config === undefined ? {} : await readConfigFile(config)
  if (config !== undefined) checkRunOptions(file, config)
  if (method !== undefined && !(methodNames as string[]).includes(method)) throw unknownName('--method', method, methodNames)
  const modelFlags = { ...(model === undefined ? {} : { preset: model }), ...givenFlags(command, modelGroups) }
  const flags = {
    ...givenFlags(command, trainGroups),
    ...(data === undefined ? {} : { data }),
    ...(out === undefined ? {} : { out }),
    ...(method === undefined ? {} : { method }),
    ...(Object.keys(modelFlags).length > 0 ? { model: modelFlags } : {}),
  }
  const options = overlayRunOptions(file, flags)
  if (options.data === undefined) throw optionError({ what: 'there are no images to train on', todo: 'cae-torch pretrain DATA --out DIR' })
  if (options.out === undefined) throw optionError({ what: '--out is missing', todo: '--out runs/first' })
  return options as unknown as TrainOptions
}

function printEvent(event: TrainEvent): void {
  const { png: _png, ...rest } = { png: undefined, ...event } // a picture has a path
  printJson(rest)
}
