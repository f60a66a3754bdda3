import { dataFields } from './data.js'
import { autoReal, type Fields, type Infer, type Input, int, oneOf, type Parsed, real, text } from './field.js'
import type { DeviceName } from './train.js'

/** Where an encoder is loaded: for the command line; in the API they are options of `Encoder.load`. */
export const placeFields = {
  /** Where to run. 'auto': the first CUDA device, else the CPU. */
  device: text<DeviceName>({
    default: 'auto',
    hint: 'device',
    pattern: /^(auto|cpu|cuda(:\d{1,3})?)$/,
    expects: "'auto', 'cpu', 'cuda' or 'cuda:N'",
  }),
  /** CPU threads of the tensor library. */
  threads: int({ default: 0, min: 0, max: 1024, meaning: "0: the library's choice" }),
} as const satisfies Fields

/** How an encoder is run over images; every evaluation and `embed` take these. */
export const encodeFields = {
  /** Images that go through the encoder at once. */
  encodeBatch: int({ default: 64, min: 1, unit: 'images' }),
  /** Number format of the encoder's products. */
  precision: oneOf(['fp32', 'bf16'], { default: 'fp32' }),
  alpha: dataFields.alpha,
  exif: dataFields.exif,
  maxPixels: dataFields.maxPixels,
  readTimeout: dataFields.readTimeout,
  maxBadFraction: dataFields.maxBadFraction,
} as const satisfies Fields

/** What an evaluation takes for the representation of an image. */
const pooledFields = {
  /** What stands for an image: the class token, or the mean of its patches. */
  feature: oneOf(['cls', 'avg'], { default: 'cls' }),
  ...encodeFields,
} as const satisfies Fields

/** `embed`. */
export const embedFields = {
  /** What is written for an image: the class token, the mean of its patches, or every patch. */
  feature: oneOf(['cls', 'avg', 'patches'], { default: 'cls' }),
  ...encodeFields,
} as const satisfies Fields

/** Weighted nearest neighbours (spec/downstream.md 2). */
export const knnFields = {
  ...pooledFields,
  /** Neighbours that vote; 10, 20, 100 and 200 are reported besides. */
  k: int({ default: 20, min: 1, max: 100_000 }),
  /** Temperature of the votes: a neighbour of similarity s weighs exp(s / temperature). */
  temperature: real({ default: 0.07, min: 1e-4 }),
} as const satisfies Fields

/** Linear probe (spec/downstream.md 3). */
export const linearFields = {
  ...pooledFields,
  /** Where features come from: computed once from centre crops, or anew in every epoch from random crops, which is the full protocol. */
  views: oneOf(['cached', 'random'], { default: 'cached' }),
  /** Times that every feature is seen. */
  epochs: int({ default: 90, min: 1 }),
  /** Features of a step of the probe. The authors' 16384 is for a million images. */
  batchSize: int({ default: 256, min: 2 }),
  /** Learning rate of LARS after warm-up. */
  lr: autoReal({
    min: 0,
    meaning: 'random views: 0.1 × batchSize / 256; cached ones: the best of six from 0.1 to 51.2 on a tenth of the training images',
  }),
  /** Epochs over which the learning rate rises from 0. */
  warmupEpochs: int({ default: 10, min: 0 }),
  /** Weight decay. */
  weightDecay: real({ default: 0, min: 0 }),
  /** Names the random draws: order, crops, start weights. */
  seed: int({ default: 0, min: 0, max: Number.MAX_SAFE_INTEGER }),
} as const satisfies Fields

/** Options of `embed`, resolved. */
export type EmbedConfig = Infer<typeof embedFields>
/** What a user may write of them. */
export type EmbedInput = Input<typeof embedFields>
/** How an encoder is run over images, resolved. */
export type EncodeConfig = Infer<typeof encodeFields>
/** Options of the k-NN evaluation, resolved. */
export type KnnConfig = Infer<typeof knnFields>
/** Options of the linear probe, resolved; `lr` is 'auto' where the probe is to find it. */
export type LinearConfig = Parsed<typeof linearFields>
