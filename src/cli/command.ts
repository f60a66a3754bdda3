import { Command } from 'commander'
import type { OptionGroup } from '../config/option-group.js'
import { addFlags } from './flags.js'

/** Widest help text; longer lines are hard to read. */
const maxHelpWidth = 110

/** How a command is declared; its arguments and its action are added to what comes back. */
export interface CommandText {
  readonly name: string
  /** One sentence, shown in the list of commands too. */
  readonly summary: string
  /** Flags that are in no option table: the flag, its text, and whether it must be given. */
  readonly flags?: readonly (readonly [string, string, 'required'?])[]
  /** Option tables that become flags. */
  readonly groups?: readonly OptionGroup[]
  /** Command lines to start from. */
  readonly examples?: readonly string[]
  /** The last line of the help. */
  readonly footer?: string
}

/** A command with help as all others have it: grouped flags with defaults and units, then examples. Complaints are thrown, and told by `exit.ts`. */
export function defineCommand({ name, summary, flags = [], groups = [], examples = [], footer }: CommandText): Command {
  const command = new Command(name)
    .description(summary)
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 80, maxHelpWidth) })
    .helpOption('-h, --help', 'Show this text.')
  for (const [flag, text, required] of flags) required ? command.requiredOption(flag, text) : command.option(flag, text)
  addFlags(command, groups)
  if (examples.length > 0) command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
  if (footer !== undefined) command.addHelpText('after', `\n${footer}`)
  return command
}
