import type { Command } from 'commander'
import { chooseImages } from '../../api/run-pictures.js'
import { Tokenizer } from '../../api/tokenizer.js'
import { trainTokenizer } from '../../api/train-tokenizer.js'
import { pictureGroup, placeGroup, tokenizerTrainGroups as trainGroups } from '../../config/option-group.js'
import { pictureFields } from '../../config/picture.js'
import { resolveFields } from '../../config/resolve.js'
import type { RawImage } from '../../data/dataset.js'
import { writeFileAtomic } from '../../io/atomic-write.js'
import { tokenizerPresetNames, tokenizers } from '../../methods/registry.js'
import { checkRunOptions, type TokenizerTrainOptions, tokenizerMethodOf } from '../../methods/resolve.js'
import { tokenizerFigure } from '../../report/figures/tokenizer.js'
import { defineCommand } from '../command.js'
import { givenFlags } from '../flags.js'
import { followRun } from '../follow-run.js'
import { openPlace } from '../place.js'
import { printJson } from '../print.js'
import { type RunFlags, runOptions } from '../run-options.js'

/** Model options of every tokenizer; groups that they share are there once. */
const modelGroups = [...new Map(Object.values(tokenizers).flatMap(({ groups }) => groups.map((group) => [group.title, group]))).values()]

interface PictureFlags {
  readonly data: string
  readonly out: string
  readonly json?: boolean
}

export function tokenizerCommand(): Command {
  return defineCommand({ name: 'tokenizer', summary: 'Train what gives image patches token ids, and look at what it makes of images.' })
    .helpCommand(false)
    .addCommand(trainCommand())
    .addCommand(reconstructCommand())
}

function trainCommand(): Command {
  return defineCommand({
    name: 'train',
    summary: 'Train a discrete auto-encoder on images; no labels are needed.',
    flags: [
      ['--out <folder>', 'Folder that the run writes to.'],
      ['--model <preset>', `Network and size: ${tokenizerPresetNames.join(', ')}. (default ${tokenizers.dvae.defaultPreset})`],
      ['--config <file>', 'YAML or JSON file with options under their names in the API; flags win.'],
      ['--json', 'Print every event as a line of JSON.'],
    ],
    groups: [...trainGroups, ...modelGroups],
    examples: [
      'cae-torch tokenizer train photos --out runs/tokenizer --holdout 256',
      'cae-torch tokenizer train photos --out runs/t --model dvae-small --vocab-size 2048 --epochs 50',
    ],
    footer: "A preset brings its own way to train: batch size, learning rate and crops are the preset's where no flag says otherwise.",
  })
    .argument(
      '[data]',
      'folder, list, tar shards, Parquet files or a pattern in quotes (docs/data.md); may stand in the configuration file',
    )
    .action(async (data: string | undefined, own: RunFlags, given: Command) => {
      const checkFile = (values: Readonly<Record<string, unknown>>, source: string) => checkRunOptions(values, source, tokenizerMethodOf)
      const options = await runOptions(data, own, { name: 'tokenizer train', given, trainGroups, modelGroups, checkFile })
      const start = (signal: AbortSignal) => trainTokenizer({ ...(options as TokenizerTrainOptions), signal }) // it checks them
      await (await followRun(start, own)).model.dispose()
    })
}

function reconstructCommand(): Command {
  return defineCommand({
    name: 'reconstruct',
    summary: 'Draw images beside what a tokenizer makes of their ids.',
    flags: [
      ['--data <images>', 'Folder of images, one image, or a pattern in quotes.', 'required'],
      ['--out <png>', 'Picture to write.', 'required'],
      ['--json', 'Print path and PSNR as JSON.'],
    ],
    groups: [pictureGroup, placeGroup],
    examples: ['cae-torch tokenizer reconstruct runs/tokenizer --data photos --out picture.png'],
  })
    .argument('<run>', "folder of a run, of a checkpoint or of DALL-E's encoder.pkl and decoder.pkl, or a file of weights")
    .action((run: string, own: PictureFlags, command: Command) => reconstruct(run, own, command))
}

async function reconstruct(run: string, { data, out, json }: PictureFlags, command: Command): Promise<void> {
  const { images: count, seed: _masks, ...decode } = resolveFields(pictureFields, [{ values: givenFlags(command, [pictureGroup]) }]).values
  await using tokenizer = await Tokenizer.load(run, await openPlace(command))
  const images: readonly RawImage[] = await chooseImages(data, count, decode)
  const made = await tokenizer.reconstruct(images)
  await writeFileAtomic(out, await tokenizerFigure({ tokenizer: { reconstruct: async () => made }, images }))
  if (json) printJson({ out, images: images.length, psnr: made.psnr })
  else process.stdout.write(`${out}: ${images.length} images, PSNR ${made.psnr.toFixed(1)} dB\n`)
}
