import type { Command } from 'commander'
import { Encoder } from '../../api/encoder.js'
import { evaluate } from '../../api/evaluate.js'
import { encodeGroup, importGroup, knnGroup, linearGroup, type OptionGroup, placeGroup } from '../../config/option-group.js'
import type { EvalTaskName } from '../../eval/registry.js'
import { defineCommand } from '../command.js'
import { counter } from '../counter.js'
import { interruptible } from '../exit.js'
import { givenFlags } from '../flags.js'
import { openPlace } from '../place.js'
import { printJson, printTable, resultRows } from '../print.js'

interface OwnFlags {
  readonly data: string
  readonly query: string
  readonly json?: boolean
}

export function evalCommand(): Command {
  return defineCommand({ name: 'eval', summary: 'Measure how good an encoder is on labelled images.' })
    .helpCommand(false)
    .addCommand(taskCommand('knn', 'Classify by the nearest neighbours in feature space.', knnGroup))
    .addCommand(taskCommand('linear', 'Train a linear classifier on the frozen features.', linearGroup))
}

function taskCommand(task: EvalTaskName, summary: string, group: OptionGroup): Command {
  const groups = [group, encodeGroup]
  return defineCommand({
    name: task,
    summary,
    flags: [
      ['--data <images>', 'Labelled images to learn from: a folder with a sub-folder a class, shards, a table or a list.', 'required'],
      ['--query <images>', 'Labelled images to measure on, of the same classes.', 'required'],
      ['--json', 'Print the result as a line of JSON; `accuracy` is in percent.'],
    ],
    groups: [...groups, importGroup, placeGroup],
    examples: [`cae-torch eval ${task} runs/photos --data labelled/train --query labelled/test`],
  })
    .argument('<run>', 'folder of a run, of a checkpoint or of Hugging Face, or a file of weights')
    .action((run: string, own: OwnFlags, command: Command) => evaluateRun(task, run, own, givenFlags(command, groups), command))
}

async function evaluateRun(
  task: EvalTaskName,
  run: string,
  own: OwnFlags,
  options: Record<string, unknown>,
  command: Command,
): Promise<void> {
  await using encoder = await Encoder.load(run, { ...(await openPlace(command)), ...givenFlags(command, [importGroup]) })
  using count = counter()
  const said = { ending: 'stopping', after: 'nothing was measured' }
  const result = await interruptible(said, (signal) =>
    evaluate(encoder, {
      ...options,
      task,
      train: own.data,
      test: own.query,
      signal,
      onProgress: ({ stage, done, total }) => count.show(stage.replace('-', ' '), done, total),
    }),
  )
  count.clear()
  if (own.json) printJson(result)
  else printTable(resultRows(result))
}
