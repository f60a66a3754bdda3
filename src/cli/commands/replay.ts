import type { Command } from 'commander'
import type { Replay } from '../../api/replay.js'
import type { TensorFinding } from '../../native/types.js'
import { defineCommand } from '../command.js'
import { interruptible } from '../exit.js'
import { printJson, printTable } from '../print.js'

/** Tensors of a kind that are named. */
const mostNamed = 3

export function replayCommand(): Command {
  return defineCommand({
    name: 'replay',
    summary: 'Do a step again whose loss or gradient was not finite, and say where that begins.',
    flags: [
      ['--data <path>', 'The images of the run, where they are not at the path that it was given.'],
      ['--json', 'Print the answer as a line of JSON.'],
    ],
    examples: ['cae-torch replay runs/photos/debug/step-812'],
    footer:
      'Exit status: 0 when every loss came out with the bits that were recorded, 1 when one did not; 3: other images; 6: no captured step.',
  })
    .argument('<folder>', 'a captured step: debug/step-N of a run')
    .action(replayStep)
}

async function replayStep(folder: string, { data, json }: { readonly data?: string; readonly json?: boolean }): Promise<void> {
  const { replay } = await import('../../api/replay.js')
  const said = { ending: 'stopping', after: 'the step was not done again' }
  const result = await interruptible(said, (signal) => replay(folder, { data, signal }))
  if (json) printJson(result)
  else printTable(rows(result))
  process.exitCode = result.reproduced ? 0 : 1
}

function rows({ step, reproduced, recorded, replayed, samples, nonFinite }: Replay): [string, string][] {
  const values = Object.entries(recorded).map(([name, value]): [string, string] => {
    const now = replayed[name]
    return [name.replaceAll('_', ' '), Object.is(value, now) ? String(value) : `${value} then, ${now} now`]
  })
  return [
    ['step', String(step)],
    ['reproduced', reproduced ? 'yes, bit for bit' : 'no: another machine, another number of threads, or images that have changed'],
    ...values,
    ['weights', told(nonFinite.weights)],
    ['activations', told(nonFinite.activations)],
    ['gradients', told(nonFinite.gradients)],
    ['images', `${samples.length}: ${samples.map(({ name }) => name).join(', ')}`],
  ]
}

function told(tensors: readonly TensorFinding[]): string {
  if (tensors.length === 0) return 'all finite'
  const names = tensors.slice(0, mostNamed).map(({ name, nonFinite }) => `${name} (${nonFinite} numbers)`)
  const others = tensors.length > mostNamed ? ` and ${tensors.length - mostNamed} more` : ''
  return `not finite: ${names.join(', ')}${others}`
}
