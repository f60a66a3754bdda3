import type { Command } from 'commander'
import { ContextAutoencoder } from '../../api/model.js'
import { chooseImages } from '../../api/run-pictures.js'
import { Tokenizer } from '../../api/tokenizer.js'
import { pictureGroup, placeGroup } from '../../config/option-group.js'
import { pictureFields } from '../../config/picture.js'
import { resolveFields } from '../../config/resolve.js'
import type { RawImage } from '../../data/dataset.js'
import { writeFileAtomic } from '../../io/atomic-write.js'
import { reconstructionFigure } from '../../report/figures/reconstruction.js'
import { defineCommand } from '../command.js'
import { givenFlags } from '../flags.js'
import { openPlace } from '../place.js'
import { printJson } from '../print.js'

interface OwnFlags {
  readonly data: string
  readonly out: string
  readonly tokenizer?: string
  readonly json?: boolean
}

export function reconstructCommand(): Command {
  return defineCommand({
    name: 'reconstruct',
    summary: 'Draw what a trained model makes of images: the hidden patches, and the alignment picture.',
    flags: [
      ['--data <images>', 'Folder of images, one image, or a pattern in quotes.', 'required'],
      ['--out <png>', 'Picture to write.', 'required'],
      [
        '--tokenizer <path>',
        "What draws the tokens of a model that predicts them: a run of cae-torch tokenizer train, its weights, or a folder with DALL-E's two files.",
      ],
      ['--json', 'Print path and PSNR as JSON.'],
    ],
    groups: [pictureGroup, placeGroup],
    examples: [
      'cae-torch reconstruct runs/photos --data photos --out picture.png',
      'cae-torch reconstruct runs/tokens --tokenizer runs/tokenizer --data photos --out picture.png',
    ],
  })
    .argument('<run>', 'folder of a run or of a checkpoint, or a .safetensors file')
    .action((run: string, own: OwnFlags, command: Command) => reconstruct(run, own, command))
}

async function reconstruct(run: string, { data, out, tokenizer: tokens, json }: OwnFlags, command: Command): Promise<void> {
  const { images: count, seed, ...decode } = resolveFields(pictureFields, [{ values: givenFlags(command, [pictureGroup]) }]).values
  const place = await openPlace(command)
  await using model = await ContextAutoencoder.load(run, place)
  await using tokenizer = tokens === undefined ? undefined : await Tokenizer.load(tokens, place)
  const images: readonly RawImage[] = await chooseImages(data, count, decode)
  const psnr: Partial<Record<'masked' | 'full', number>> = {}
  const measured: Pick<typeof model, 'reconstruct'> = {
    async reconstruct(shown, options = {}) {
      const made = await model.reconstruct(shown, { ...options, ...(tokenizer && { tokenizer }) })
      psnr[options.path ?? 'masked'] = made.psnr
      return made
    },
  }
  await writeFileAtomic(out, await reconstructionFigure({ model: measured, images, seed }))
  if (json) printJson({ out, images: images.length, psnr })
  else
    process.stdout.write(
      `${out}: ${images.length} images, PSNR ${decibels(psnr.masked)} masked, ${decibels(psnr.full)} alignment picture\n`,
    )
}

function decibels(psnr = Number.NaN): string {
  return `${psnr.toFixed(1)} dB`
}
