import type { Command } from 'commander'
import { diagnose } from '../../setup/doctor.js'
import { formatDiagnosis } from '../../setup/doctor-text.js'
import { defineCommand } from '../command.js'
import { printJson } from '../print.js'

export function doctorCommand(): Command {
  return defineCommand({
    name: 'doctor',
    summary: 'Say what this machine has and lacks for training, and the command that helps.',
    flags: [
      ['--no-python', 'Do not look for the torch of an installed Python.'],
      ['--json', 'Print the report as JSON.'],
    ],
  }).action(doctor)
}

/** Changes nothing. Its exit status says whether training can run here: 0, or 4 as for every fault of the environment. */
async function doctor({ python, json }: { readonly python: boolean; readonly json?: boolean }): Promise<void> {
  const diagnosis = await diagnose({ python })
  if (!diagnosis.canTrain) process.exitCode = 4
  if (json) return printJson(diagnosis)
  process.stdout.write(`${formatDiagnosis(diagnosis)}\n`)
}
