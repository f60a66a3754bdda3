import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { defineCommand } from './command.js'
import { doctorCommand } from './commands/doctor.js'
import { embedCommand } from './commands/embed.js'
import { evalCommand } from './commands/eval.js'
import { exportCommand } from './commands/export.js'
import { importCommand } from './commands/import.js'
import { inspectCommand } from './commands/inspect.js'
import { pretrainCommand } from './commands/pretrain.js'
import { reconstructCommand } from './commands/reconstruct.js'
import { replayCommand } from './commands/replay.js'
import { setupCommand } from './commands/setup.js'
import { tokenizerCommand } from './commands/tokenizer.js'

/** All of `cae-torch`. */
export function program(): Command {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'))
  return defineCommand({
    name: 'cae-torch',
    summary: 'Self-supervised pre-training of vision transformers: images in, encoder out.',
    examples: ['cae-torch setup', 'cae-torch pretrain photos --out runs/photos', 'cae-torch pretrain --help'],
    footer: 'Environment: CAE_LIBTORCH, LIBTORCH (a libtorch folder), NO_COLOR, DEBUG=1 (stack traces).',
  })
    .version(version, '-V, --version', 'Show the version.')
    .helpCommand(false)
    .addCommand(pretrainCommand())
    .addCommand(reconstructCommand())
    .addCommand(embedCommand())
    .addCommand(evalCommand())
    .addCommand(tokenizerCommand())
    .addCommand(importCommand())
    .addCommand(inspectCommand())
    .addCommand(exportCommand())
    .addCommand(replayCommand())
    .addCommand(setupCommand())
    .addCommand(doctorCommand())
}
