// A small world on the bare addon, for child processes and worker threads of the border tests. ADDON is the addon's path.
const addon = require(process.env.ADDON)

process.once('exit', () => addon.shutdown()) // as src/native/load.ts does

const config = {
  method: 'cae',
  imageSize: [64, 64],
  patchSize: 8,
  embedDim: 96,
  depth: 4,
  numHeads: 4,
  mlpRatio: 4,
  layerNormEps: 1e-6,
  layerScaleInit: 0.1,
  dropPath: 0.1,
  positions: 'reference',
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  decoderDim: 96,
  decoderHeads: 4,
  decoderLayerScaleInit: 0.1,
  regressorDepth: 2,
  decoderDepth: 2,
  target: 'pixels',
  vocabSize: 16,
  latentDim: 16,
  latentWeight: 1,
  normalizeTarget: false,
  alignWeight: 2,
  targetWeights: 'shared',
  targetMomentum: 0,
  alignDropPath: true,
  init: 'xavier',
  relativePositions: 'none',
  keyBias: false,
  activation: 'gelu',
  patchBias: true,
  inputNorm: false,
  outputNorm: 'tokens',
}
const hyper = (step) => ({ step, lr: 1e-3, weightDecay: 0.05, clipNorm: 3, seed: 1, firstPosition: 0, schedule: {} })

/** A model with its trainer and a batch of `count` images; a step takes some tens of milliseconds. */
async function makeWorld(count = 16, overrides = {}) {
  const model = await addon.createModel({ ...config, ...overrides }, 1, 'cpu')
  const trainer = await addon.createTrainer(model, { precision: 'fp32', beta1: 0.9, beta2: 0.999, eps: 1e-8 })
  const images = { data: Float32Array.from({ length: count * 3 * 64 * 64 }, (_, i) => Math.sin(i)), shape: [count, 3, 64, 64] }
  const mask = { data: Uint8Array.from({ length: count * 64 }, (_, i) => i % 2), shape: [count, 64] }
  const batch = await addon.createBatch(images, mask, undefined)
  return { model, trainer, batch, step: (n) => addon.step(trainer, [batch], hyper(n)) }
}

module.exports = { addon, makeWorld }
