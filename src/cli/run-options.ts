import type { Command } from 'commander'
import type { OptionGroup } from '../config/option-group.js'
import { optionError } from '../config/resolve.js'
import { overlayRunOptions } from '../methods/resolve.js'
import { readConfigFile } from './config-file.js'
import { givenFlags } from './flags.js'

/** Options of a training command that are in no table. */
export interface RunFlags {
  readonly out?: string
  readonly model?: string
  readonly method?: string
  readonly tokenizer?: string
  readonly latents?: string
  readonly config?: string
  readonly json?: boolean
}

/**
 * What the command line asks for: the configuration file's options with the flags over them, under their names in the API.
 * @param command.name for messages: `pretrain`
 * @throws {CaeError} ERR_CAE_OPTION; whether the options go together shows when the run resolves them
 */
export async function runOptions(
  data: string | undefined,
  { out, model, method, tokenizer, latents, config }: RunFlags,
  command: {
    readonly name: string
    readonly given: Command
    readonly trainGroups: readonly OptionGroup[]
    readonly modelGroups: readonly OptionGroup[]
    checkFile(values: Readonly<Record<string, unknown>>, source: string): void
  },
): Promise<{ readonly data: unknown; readonly out: unknown }> {
  const file = config === undefined ? {} : await readConfigFile(config)
  if (config !== undefined) command.checkFile(file, config)
  if (tokenizer !== undefined && latents !== undefined) {
    throw optionError({ what: '--tokenizer and --latents are both given', todo: 'give one of them: a run has one target' })
  }
  const modelFlags = { ...(model === undefined ? {} : { preset: model }), ...givenFlags(command.given, command.modelGroups) }
  const flags = {
    ...givenFlags(command.given, command.trainGroups),
    ...(data === undefined ? {} : { data }),
    ...(out === undefined ? {} : { out }),
    ...(method === undefined ? {} : { method }),
    ...(tokenizer === undefined ? {} : { target: { tokenizer } }),
    ...(latents === undefined ? {} : { target: { latents } }),
    ...(Object.keys(modelFlags).length > 0 ? { model: modelFlags } : {}),
  }
  const options = overlayRunOptions(file, flags)
  if (options.data === undefined) {
    throw optionError({ what: 'there are no images to train on', todo: `cae-torch ${command.name} DATA --out DIR` })
  }
  if (options.out === undefined) throw optionError({ what: '--out is missing', todo: '--out runs/first' })
  return { ...options, data: options.data, out: options.out }
}
