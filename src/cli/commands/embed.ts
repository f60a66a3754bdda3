import type { Command } from 'commander'
import { embed } from '../../api/embed.js'
import { Encoder } from '../../api/encoder.js'
import { embedGroup, encodeGroup, importGroup, placeGroup } from '../../config/option-group.js'
import { defineCommand } from '../command.js'
import { counter } from '../counter.js'
import { interruptible } from '../exit.js'
import { givenFlags } from '../flags.js'
import { openPlace } from '../place.js'
import { printJson } from '../print.js'

interface OwnFlags {
  readonly data: string
  readonly out: string
  readonly json?: boolean
}

export function embedCommand(): Command {
  return defineCommand({
    name: 'embed',
    summary: 'Write the features of images: a row each, in the order of the folder.',
    flags: [
      ['--data <images>', 'Images: a folder, a list, tar shards, Parquet files, one image, or a pattern in quotes.', 'required'],
      ['--out <file>', 'File to write: .safetensors, or .npy. The names of the images go beside it.', 'required'],
      ['--json', 'Print the files and the shape as JSON.'],
    ],
    groups: [embedGroup, encodeGroup, importGroup, placeGroup],
    examples: [
      'cae-torch embed runs/photos --data photos --out photos.safetensors',
      'cae-torch embed runs/photos --data photos --out photos.npy --feature avg',
      'cae-torch embed vit_small.safetensors --num-heads 6 --data photos --out photos.npy',
    ],
  })
    .argument('<run>', 'folder of a run, of a checkpoint or of Hugging Face, or a file of weights')
    .action((run: string, own: OwnFlags, command: Command) => embedImages(run, own, command))
}

async function embedImages(run: string, { data, out, json }: OwnFlags, command: Command): Promise<void> {
  const options = givenFlags(command, [embedGroup, encodeGroup])
  await using encoder = await Encoder.load(run, { ...(await openPlace(command)), ...givenFlags(command, [importGroup]) })
  using count = counter()
  const said = { ending: 'stopping', after: 'no file was written' }
  const { namesFile, shape, badImages } = await interruptible(said, (signal) =>
    embed(encoder, data, { ...options, out, signal, onProgress: ({ done, total }) => count.show('encoding', done, total) }),
  )
  count.clear()
  if (json) return void printJson({ out, namesFile, shape, badImages })
  const bad = badImages.length > 0 ? `, ${badImages.length} unusable: their rows are NaN` : ''
  process.stdout.write(`${out}: features [${shape.join(', ')}]${bad}\n${namesFile}: names\n`)
}
