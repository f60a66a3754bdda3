import type { TrainConfig } from '../../src/config/train.js'
import type { ModelConfig, TrainOptions } from '../../src/methods/resolve.js'
import { resolveModel, resolveTokenizerRun, resolveTrain } from '../../src/methods/resolve.js'
import { assertType, type Equal } from './equal.js'

// What a resolved configuration holds.
assertType<Equal<ModelConfig['imageSize'], readonly [number, number]>>()
assertType<Equal<ModelConfig['mean'], readonly [number, number, number]>>()
assertType<Equal<ModelConfig['maskCount'], number>>()
assertType<Equal<ModelConfig['decoderDim'], number>>()
assertType<Equal<ModelConfig['maskShape'], 'block' | 'random'>>()
assertType<Equal<ModelConfig['alignDropPath'], boolean>>()
assertType<Equal<TrainConfig['lr'], number>>()
assertType<Equal<TrainConfig['epochs'], number | null>>()
assertType<Equal<TrainConfig['precision'], 'auto' | 'fp32' | 'bf16'>>()
assertType<Equal<TrainConfig['cache'], number | 'auto' | 'off'>>()
assertType<Equal<TrainConfig['prefetchBytes'], number>>()
assertType<Equal<TrainConfig['device'], 'auto' | 'cpu' | 'cuda' | `cuda:${number}`>>()

// What a user may write.
assertType<Equal<TrainOptions['lr'], number | 'auto' | undefined>>()
assertType<Equal<TrainOptions['batchSize'], number | undefined>>()
resolveTrain({ data: 'photos', out: 'runs/a', model: 'cae-tiny', epochs: 3, device: 'cuda:1', alpha: '#ffffff', cache: 1e9 })
resolveTrain({ data: 'photos', out: 'runs/a', model: { preset: 'cae-nano', imageSize: [96, 128], maskCount: null }, steps: 10 })
resolveTrain({ data: { length: 1, get: () => new Uint8Array() }, out: 'runs/a', recipe: 'demo' })
const model: ModelConfig = resolveModel({ preset: 'cae-small', imageSize: 96 })
resolveModel(model)

// A wrong option does not compile.
// @ts-expect-error misspelt name
resolveTrain({ data: 'photos', out: 'runs/a', bacthSize: 3 })
// @ts-expect-error a number is wanted
resolveTrain({ data: 'photos', out: 'runs/a', batchSize: '64' })
// @ts-expect-error not a precision
resolveTrain({ data: 'photos', out: 'runs/a', precision: 'fp16' })
// @ts-expect-error not a device
resolveTrain({ data: 'photos', out: 'runs/a', device: 'gpu' })
// @ts-expect-error not a colour
resolveTrain({ data: 'photos', out: 'runs/a', alpha: 'white' })
// @ts-expect-error not a preset
resolveTrain({ data: 'photos', out: 'runs/a', model: 'cae-huge' })
// @ts-expect-error not a recipe
resolveTrain({ data: 'photos', out: 'runs/a', recipe: 'authors' })
// @ts-expect-error not a method
resolveTrain({ data: 'photos', out: 'runs/a', method: 'mae' })
// @ts-expect-error a model option outside `model`
resolveTrain({ data: 'photos', out: 'runs/a', imageSize: 96 })
// @ts-expect-error misspelt model option
resolveTrain({ data: 'photos', out: 'runs/a', model: { patchsize: 8 } })
// @ts-expect-error three sides
resolveTrain({ data: 'photos', out: 'runs/a', model: { imageSize: [1, 2, 3] } })
// @ts-expect-error no folder to write to
resolveTrain({ data: 'photos' })
// @ts-expect-error a data set has a length
resolveTrain({ data: { get: () => new Uint8Array() }, out: 'runs/a' })
// @ts-expect-error a resolved configuration is not changed in place
model.depth = 3

// Tokenizers: the preset says which options there are.
resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: 'light-nano', epochs: 3 })
resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: { hiddenDim: 32, blocksPerGroup: 1 } })
resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: { preset: 'light-beit', codebookDim: 32 } })
// @ts-expect-error an option of the other network
resolveTokenizerRun({ data: 'photos', out: 'runs/a', model: { preset: 'light-beit', blocksPerGroup: 1 } })
// @ts-expect-error tokenizers have no recipes
resolveTokenizerRun({ data: 'photos', out: 'runs/a', recipe: 'demo' })
