import { defaultPreset, presets } from '../../src/config/presets.js'
import { recipeNames, recipes } from '../../src/config/recipes.js'
import { CaeError } from '../../src/errors.js'
import { methods } from '../../src/methods/registry.js'
import { nativeModelConfig, resolveModel, resolveTrain, type TrainOptions } from '../../src/methods/resolve.js'

const base = { data: 'photos', out: 'runs/a' }
const resolve = (options: object) => resolveTrain({ ...base, ...options } as TrainOptions)
const clip = { target: 'latents', latentDim: 512, imageSize: [224, 224], patchSize: 16 } as const
const resolveWithClip = (options: object) => resolveTrain({ ...base, ...options } as TrainOptions, clip)

function errorOf(work: () => unknown): CaeError {
  try {
    work()
  } catch (error) {
    if (error instanceof CaeError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('a model', () => {
  test('of a preset has every option of the table, and nothing else', () => {
    expect(resolveModel('cae-base')).toMatchObject({
      imageSize: [224, 224],
      embedDim: 768,
      depth: 12,
      numHeads: 12,
      decoderDim: 768,
      maskCount: 98,
    })
    for (const preset of Object.keys(presets)) {
      expect(Object.keys(resolveModel(preset)).sort()).toEqual(Object.keys(methods.cae.fields).sort())
    }
  })

  test.each([
    ['cae-tiny', 192, 12, 12, 0.1, 'xavier'],
    ['cae-small', 384, 12, 12, 0.1, 'xavier'],
    ['cae-base', 768, 12, 12, 0.1, 'xavier'],
    ['cae-large', 1024, 24, 16, 1e-5, 'truncated'],
  ] as const)('%s has the size of the paper', (preset, embedDim, depth, numHeads, layerScaleInit, init) => {
    const size = {
      embedDim,
      depth,
      numHeads,
      layerScaleInit,
      decoderDim: embedDim,
      decoderHeads: numHeads,
      decoderLayerScaleInit: layerScaleInit,
    }
    expect(resolveModel(preset)).toMatchObject({ ...size, init, patchSize: 16, regressorDepth: 4, decoderDepth: 4 })
  })

  test('takes options over a preset, and follows them with what derives from them', () => {
    const model = resolveModel({ preset: 'cae-nano', imageSize: [32, 48], embedDim: 96 })
    expect(model).toMatchObject({
      imageSize: [32, 48],
      patchSize: 8,
      depth: 4,
      embedDim: 96,
      decoderDim: 96,
      decoderHeads: 4,
      maskCount: 12,
    })
  })

  test('comes out of its own resolved form as it went in', () => {
    const model = resolveModel({ preset: 'cae-nano', imageSize: 40, decoderDim: 64 })
    expect(resolveModel(model)).toEqual(model)
    expect(resolveModel(JSON.parse(JSON.stringify(model)))).toEqual(model)
  })

  test('has the defaults of the default preset', () => {
    expect(resolveModel({})).toEqual(resolveModel(defaultPreset))
  })

  test('crosses to C++ with its method and without its masks', () => {
    const native = nativeModelConfig(resolveModel('cae-nano'), 'cae')
    expect(Object.keys(native).sort()).toEqual(
      // What native/model/config.cpp and native/methods/cae.cpp read.
      `activation alignDropPath alignWeight decoderDepth decoderDim decoderHeads decoderLayerScaleInit depth dropPath embedDim imageSize init inputNorm keyBias latentDim latentWeight layerNormEps
      layerScaleInit mean method mlpRatio normalizeTarget numHeads outputNorm patchBias patchSize positions regressorDepth relativePositions std target targetMomentum targetWeights vocabSize`.split(
        /\s+/,
      ),
    )
    expect(native).toMatchObject({ method: 'cae', imageSize: [64, 64] })
  })

  test.each([
    [{ imageSize: 100 }, /imageSize 100x100 is not a multiple of patchSize 16/, /96 or 112/],
    [{ imageSize: [224, 230] }, /imageSize 224x230/, /224 or 240 instead of 230/],
    [{ imageSize: 16 }, /imageSize 16x16 is a single patch/, /patchSize below 16/],
    [{ imageSize: 8 }, /imageSize 8x8 is not a multiple/, /^16 instead of 8/],
    [{ numHeads: 7 }, /numHeads 7 does not divide embedDim 384/, /numHeads: 6/],
    [{ decoderDim: 100 }, /decoderHeads 12 does not divide decoderDim 100/, /decoderHeads: 10/],
    [{ embedDim: 30, numHeads: 3 }, /embedDim 30 is not a multiple of 4/, /embedDim: 32/],
    [{ maskCount: 196 }, /maskCount 196 leaves none of the 196 patches visible/, /1 to 195; half is 98/],
    [{ maskCount: 0 }, /maskCount is 0, expected an integer of at least 1/, /half of the patches/],
    [{ imageSize: [16, 64] }, /maskShape 'block' wants at least 2 rows/, /'random'/],
    [{ imageSize: 48, maskCount: 8, maskMinBlock: 8 }, /maskMinBlock 8 is more than a block can have on a grid of 3x3/, /maskMinBlock: 6/],
    [{ targetMomentum: 0.9 }, /targetMomentum 0.9 has no effect/, /'lagged'/],
    [{ maskShap: 'block' }, /option 'maskShap' is unknown/, /'maskShape'/],
    [{ positions: 'gird' }, /positions is 'gird', expected one of 'reference', 'grid'/, /'grid'/],
    [{ preset: 'cae-smal' }, /model preset 'cae-smal' is unknown, there are 'cae-nano'/, /'cae-small'/],
    [{ dropPath: Number.NaN }, /dropPath is null|dropPath is NaN/, /0.1, the default/],
    [{ depth: 1.5 }, /depth is 1.5, expected an integer from 1 to 256/, /12, the default/],
    [{ mean: [0.5, 0.5] }, /mean is 0.5x0.5|mean is \[0.5,0.5\]/, /0.485/],
  ])('%j is refused', (input, what, todo) => {
    const { code, parts } = errorOf(() => resolveModel(input as object))
    expect({ code, ...parts }).toEqual({
      code: 'ERR_CAE_OPTION',
      what: expect.stringMatching(what),
      where: undefined,
      todo: expect.stringMatching(todo),
    })
  })

  test('every small grid either gets drawable block masks or is refused by name', () => {
    for (const rows of [2, 3, 4, 5]) {
      for (const columns of [2, 3, 5, 9]) {
        const result = (() => {
          try {
            return resolveModel({ patchSize: 4, imageSize: [rows * 4, columns * 4] }).maskCount
          } catch (error) {
            return String(error)
          }
        })()
        expect(result).toEqual(typeof result === 'number' ? Math.floor((rows * columns) / 2) : expect.stringContaining('maskMinBlock'))
      }
    }
  })
})

describe('a run', () => {
  test('needs nothing but data and a folder', () => {
    const { train, model } = resolveTrain(base)
    expect(train).toMatchObject({ method: 'cae', recipe: null, epochs: 100, steps: null, batchSize: 64, warmupEpochs: 5, warmupSteps: 0 })
    expect(model).toEqual(resolveModel('cae-small'))
  })

  test('layers preset, recipe and options in this order', () => {
    const { train, model } = resolve({ recipe: 'demo', model: { imageSize: 96 }, lr: 2e-3 })
    expect(model).toMatchObject({ imageSize: [96, 96], embedDim: 128, maskShape: 'random', dropPath: 0, maskCount: 72 })
    expect(train).toMatchObject({ recipe: 'demo', alpha: '#ffffff', lr: 2e-3 })
    expect(resolve({ recipe: 'demo', model: 'cae-tiny' }).model).toMatchObject({ embedDim: 192, dropPath: 0 })
  })

  test.each(recipeNames)('the recipe %s resolves with its own model and with large', (recipe) => {
    const { model } = recipes[recipe]
    const resolved = 'target' in model ? resolveWithClip : resolve
    expect(resolved({ recipe }).model).toEqual(expect.objectContaining(model))
    expect(resolved({ recipe, model: 'cae-large' }).model).toMatchObject({ layerScaleInit: 1e-5, init: 'truncated' })
  })

  test.each([
    ['authors-300e', 300, 10, 98],
    ['authors-800e', 800, 20, 98],
    ['authors-1600e', 1600, 40, 98],
    ['paper-v1', 300, 10, 75],
  ] as const)('%s is the published one', (recipe, epochs, warmupEpochs, maskCount) => {
    const { train, model, notes } = resolve({ recipe })
    expect(train).toMatchObject({
      epochs,
      warmupEpochs,
      batchSize: 2048,
      lr: 1.5e-3,
      minLr: 1e-5,
      weightDecay: 0.05,
      clipNorm: 3,
      beta2: 0.999,
    })
    expect(model).toMatchObject({ maskCount, maskMinBlock: 16, maskShape: 'block', dropPath: 0.1, embedDim: 768, alignWeight: 2 })
    expect(notes).toEqual([])
  })

  test("scales the authors' learning rate by the root of the batch, and says so", () => {
    expect(resolve({ batchSize: 2048 }).train.lr).toBeCloseTo(1.5e-3, 12)
    const { train, notes } = resolve({ batchSize: 128 })
    expect(train.lr).toBeCloseTo(1.5e-3 / 4, 12)
    expect(notes).toEqual(["lr 0.000375 = 1.5e-3 × √(batchSize 128 / 2048), as lr is 'auto'"])
    expect(resolve({ batchSize: 128, lr: 1e-4 })).toMatchObject({ train: { lr: 1e-4 }, notes: [] })
  })

  test("a length of one's own takes the place of the recipe's, warm-up and all", () => {
    expect(resolve({ recipe: 'authors-300e', steps: 500 }).train).toMatchObject({
      epochs: null,
      steps: 500,
      warmupEpochs: 0,
      warmupSteps: 25,
    })
    expect(resolve({ recipe: 'authors-300e', epochs: 40 }).train).toMatchObject({ epochs: 40, warmupEpochs: 2, warmupSteps: 0 })
    expect(resolve({ recipe: 'authors-300e', warmupSteps: 7 }).train).toMatchObject({ epochs: 300, warmupEpochs: 0, warmupSteps: 7 })
    expect(resolve({ epochs: 4, warmupEpochs: 0 }).train).toMatchObject({ warmupEpochs: 0, warmupSteps: 0 })
  })

  test('comes out of its own resolved form as it went in', () => {
    for (const options of [{ recipe: 'demo' }, { steps: 900 }, { epochs: 3, warmupSteps: 5 }]) {
      const { train, model } = resolve(options)
      expect(resolve({ ...train, model })).toEqual({ train, model, notes: [] })
    }
  })

  test.each([
    [{ bacthSize: 8 }, /option 'bacthSize' is unknown/, /'batchSize'/],
    [{ imageSize: 96 }, /option 'imageSize' does not belong here/, /model: \{ imageSize: ... \}/],
    [{ dat: 'x' }, /option 'dat' is unknown/, /'data'/],
    [{ data: '' }, /data is ''/, /photos/],
    [{ data: undefined }, /data is missing/, /photos/],
    [{ out: undefined }, /out is missing/, /runs/],
    [{ out: 3 }, /out is 3/, /runs/],
    [{ epochs: 2, steps: 9 }, /epochs and steps are both given/, /one of them/],
    [{ warmupEpochs: 2, warmupSteps: 9 }, /warmupEpochs and warmupSteps are both given/, /one of them/],
    [{ batchSize: 64, microBatchSize: 48 }, /microBatchSize 48 does not divide batchSize 64/, /divisor of 64/],
    [{ epochs: 2, warmupEpochs: 3 }, /warmupEpochs 3 is longer than the run of 2 epochs/, /at most 2/],
    [{ steps: 20, warmupSteps: 30 }, /warmupSteps 30 is longer than the run of 20 steps/, /at most 20/],
    [{ lr: 1e-6 }, /minLr 0.00001 is above lr 0.00000100/, /minLr: 0/],
    [{ lr: '1e-3' }, /lr is '1e-3', expected a number from 0 to 1000, or 'auto'/, /'auto'/],
    [{ precision: 'half' }, /precision is 'half', expected one of/, /'auto', the default/],
    [{ device: 'gpu' }, /device is 'gpu', expected 'auto', 'cpu', 'cuda' or 'cuda:N'/, /'auto', the default/],
    [{ alpha: 'white' }, /alpha is 'white', expected 'drop' or a colour/, /'drop'/],
    [{ seed: 2 ** 53 }, /seed is 9007199254740992/, /0, the default/],
    [{ cache: -1 }, /cache is -1, expected a number of bytes, or 'auto' or 'off'/, /'auto'/],
    [{ scaleMin: 0.9, scaleMax: 0.5 }, /scaleMin 0.9 is above scaleMax 0.5/, /smaller/],
    [{ ratioMin: 2 }, /ratioMin 2 is above ratioMax/, /smaller/],
    [{ checkpointEvery: 100, keepEvery: 250 }, /keepEvery 250 is not a multiple of checkpointEvery 100/, /multiple/],
    [{ recipe: 'authors' }, /recipe 'authors' is unknown, there are 'authors-300e'/, /'authors-300e'/],
    [{ method: 'mae' }, /method 'mae' is unknown, there are 'cae'/, /'cae'/],
    [{ model: 3 }, /model is 3, expected a preset's name or an object/, /cae-small/],
    [{ model: { target: 'tokens' } }, /target 'tokens' needs a tokenizer/, /target: \{ tokenizer/],
    [{ model: { target: 'latents' } }, /target 'latents' needs an encoder/, /target: \{ latents/],
    [{ recipe: 'authors-v2-base' }, /target 'latents' needs an encoder/, /target: \{ latents/],
    [{ model: { target: 'latents', decoderDepth: 2 } }, /model.decoderDepth 2 has no effect with target 'latents'/, /decoderDepth: 0/],
    [{ model: { target: 'latents', alignWeight: 2 } }, /model.alignWeight 2 has no effect/, /alignWeight: 0/],
    [{ model: { target: 'latents', targetWeights: 'lagged' } }, /model.targetWeights 'lagged' has no effect/, /'shared'/],
    [{ model: { numHeads: 5 } }, /model.numHeads 5 does not divide embedDim 384/, /numHeads: 4, or/],
  ])('%j is refused', (options, what, todo) => {
    const { code, parts } = errorOf(() => resolve(options))
    expect({ code, ...parts }).toMatchObject({
      code: 'ERR_CAE_OPTION',
      what: expect.stringMatching(what),
      todo: expect.stringMatching(todo),
    })
  })

  describe('with the latents of an encoder', () => {
    test.each([
      ['authors-v2-base', 98, 4, 768, 768],
      ['authors-v2-small', 49, 1, 384, 384],
      ['authors-v2-tiny', 30, 1, 96, 192],
    ] as const)('%s is the published one, but for its colours', (recipe, maskCount, regressorDepth, decoderDim, embedDim) => {
      const { train, model, view } = resolveWithClip({ recipe })
      expect(train).toMatchObject({ epochs: 300, warmupEpochs: 10, batchSize: 2048, lr: 1.5e-3, minLr: 1e-5, scaleMin: 0.4 })
      const size = { maskCount, regressorDepth, decoderDim, embedDim, decoderHeads: 12, dropPath: 0.1 }
      expect(model).toMatchObject({ ...size, target: 'latents', latentDim: 512, latentWeight: 1, decoderDepth: 0, alignWeight: 0 })
      expect(view).toEqual({ size: [224, 224], interpolation: 'bicubic' })
      expect(resolveWithClip({ ...train, model })).toEqual({ train, model, view, notes: [] })
    })

    test('puts aside what preset and recipe say of decoder and alignment', () => {
      const { model } = resolveWithClip({ recipe: 'demo', model: { imageSize: 112 } })
      expect(model).toMatchObject({ decoderDepth: 0, alignWeight: 0, regressorDepth: 2 })
    })

    test('wants one of them for every patch', () => {
      expect(errorOf(() => resolveWithClip({ model: 'cae-nano' })).parts).toMatchObject({
        what: expect.stringMatching(/224x224 images into 14 x 14 patches, the model its 64x64 into 8 x 8/),
        todo: 'model.imageSize 112x112 with patches of 8; or `cae-torch import` of the encoder with --image-size 128x128',
      })
      expect(resolveWithClip({ model: { preset: 'cae-tiny', imageSize: 112, patchSize: 8 } }).view).toEqual({
        size: [224, 224],
        interpolation: 'bicubic',
      })
    })
  })

  test('says which layer an impossible value comes from', () => {
    const { parts } = errorOf(() => resolve({ recipe: 'paper-v1', model: 'cae-nano' }))
    expect(parts).toMatchObject({ what: 'model.maskCount 75 leaves none of the 64 patches visible', where: "recipe 'paper-v1'" })
  })
})
