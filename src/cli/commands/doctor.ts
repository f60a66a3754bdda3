import type { Command } from 'commander'
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

/** Looking is all it does: its exit status is 0 whatever it finds. */
async function doctor({ python, json }: { readonly python: boolean; readonly json?: boolean }): Promise<void> {
  const [{ diagnose }, { formatDiagnosis }] = await Promise.all([import('../../setup/doctor.js'), import('../../setup/doctor-text.js')])
  const diagnosis = await diagnose({ python })
  if (json) return printJson(diagnosis)
  process.stdout.write(`${formatDiagnosis(diagnosis)}\n`)
}
