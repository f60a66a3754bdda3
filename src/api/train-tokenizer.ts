import { resolveTokenizerRun, type TokenizerConfig, type TokenizerTrainOptions } from '../methods/resolve.js'
import { TrainRun } from '../train/run.js'
import { measureTokenizer } from './measure-tokenizer.js'
import { tokenizerPicture } from './run-pictures.js'
import { Tokenizer } from './tokenizer.js'
import { type RunKind, runTraining, type TrainResult } from './train.js'

const tokenizers: RunKind<TokenizerConfig, Tokenizer> = {
  open: (native) => new Tokenizer(native),
  pictures: (tokenizer, shown) => [tokenizerPicture(tokenizer, shown)],
  measure: measureTokenizer,
}

/**
 * Trains a discrete auto-encoder on images: what gives their patches token ids. Events, folder, checkpoints and `resume` are those of `trainCAE`;
 * at every picture a `measure` event tells PSNR, perplexity and used codes of images kept out of training (with `holdout`).
 * @throws nothing itself; the run rejects as that of `trainCAE`, and with ERR_CAE_DIVERGED when the codebook collapses
 * @example
 * const run = trainTokenizer({ data: 'photos/', out: 'runs/tokenizer', model: 'dvae-nano', epochs: 20, holdout: 256 })
 * const { model: tokenizer } = await run
 * const ids = await tokenizer.encode('cat.jpg')
 */
export function trainTokenizer(options: TokenizerTrainOptions): TrainRun<TrainResult<Tokenizer>> {
  return new TrainRun((publish, checkpointWanted) =>
    runTraining(tokenizers, () => resolveTokenizerRun(options), options, publish, checkpointWanted),
  )
}
