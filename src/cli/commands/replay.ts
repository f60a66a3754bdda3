import type { Command } from 'commander'
import { type Replay, replay } from '../../api/replay.js'
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
  const said = { ending: 'stopping', after: 'the step was not done again' }
  const result = await interruptible(said, (signal) => replay(folder, { data, signal }))
  if (json) printJson(result)
  else printTable(rows(result))
  process.exitCode = result.reproduced ? 0 : 1
}

function rows({ step, reproduced, recorded, replayed, samples, nonFinite, findings }: Replay): [string, string][] {
  const values = Object.entries(recorded).map(([name, value]): [string, string] => {
    const now = replayed[name]
    return [name.replaceAll('_', ' '), Object.is(value, now) ? String(value) : `${value} then, ${now} now`]
  })
  return [
    ['step', String(step)],
    ['reproduced', reproduced ? 'yes, bit for bit' : 'no: another machine, another number of threads, or images that have changed'],
    ...values,
    ['weights', told(nonFinite.weights, findings.weights)],
    ['activations', told(nonFinite.activations, findings.activations)],
    ['gradients', told(nonFinite.gradients, findings.gradients)],
    ['images', `${samples.length}: ${samples.map(({ name }) => name).join(', ')}`],
  ]
}

/** Finite numbers too large to be squared and added up make a norm infinite, hence the largest. */
function told(failed: readonly TensorFinding[], all: readonly TensorFinding[]): string {
  const largest = all.reduce((best, one) => (one.largest > best.largest ? one : best), { name: '', largest: 0, nonFinite: 0 })
  if (failed.length === 0) return `all finite, up to ${largest.largest.toPrecision(3)} in ${largest.name}`
  const names = failed.slice(0, mostNamed).map(({ name, nonFinite }) => `${name} (${nonFinite} numbers)`)
  const others = failed.length > mostNamed ? ` and ${failed.length - mostNamed} more` : ''
  return `not finite: ${names.join(', ')}${others}`
}
