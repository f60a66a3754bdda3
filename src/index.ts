/** What users of the package can import, on one screen. */

// Pre-training

export { type TrainResult, train, trainCAE } from './api/train.js'
export { trainTokenizer } from './api/train-tokenizer.js'
export type { TokenizerTrainOptions, TrainOptions } from './methods/resolve.js'
export type {
  CheckpointEvent,
  EndEvent,
  EpochEvent,
  FigureEvent,
  MeasureEvent,
  StartEvent,
  StepEvent,
  TrainEvent,
  TrainListener,
  TrainSummary,
  WarningEvent,
} from './train/events.js'
export { TrainRun } from './train/run.js'

// Models, and the loop's lower half

export { type EncodeOptions, Encoder, type LoadEncoderOptions, type LoadOptions } from './api/encoder.js'
export { type ExportedModel, type ExportFormat, type ExportOptions, exportModel } from './api/export.js'
export { type ImportOptions, type ImportReport, importWeights } from './api/import.js'
export { type Inspection, inspect, type ModelInspection, type TokenizerInspection } from './api/inspect.js'
export { ContextAutoencoder, type CreateOptions, type ForwardOptions } from './api/model.js'
export type { Reconstruction, ReconstructOptions } from './api/reconstruct.js'
export { type Replay, type ReplayOptions, replay } from './api/replay.js'
export type { BatchInput, F32Tensor, I32Tensor, Images, ImageTensor, U8Tensor } from './api/tensors.js'
export { Tokenizer, type TokenizerReconstruction } from './api/tokenizer.js'
export { type StepHyper, Trainer, type TrainerOptions, type TrainerState } from './api/trainer.js'
export type { LoadReport, LoadWeightsOptions, NamedTensors } from './api/weights.js'
export type { VitConfig } from './config/architecture.js'
export type { ImportInput } from './config/import.js'
export type { PresetName } from './config/presets.js'
export type { RecipeName } from './config/recipes.js'
export type { CAEConfig, CAEConfigInput } from './methods/cae.js'
export type { DvaeConfig, DvaeInput } from './methods/dvae.js'
export type { LightDvaeConfig, LightDvaeInput } from './methods/dvae-light.js'
export type { TokenizerConfig, TokenizerInput, TokenizerPresetName } from './methods/resolve.js'
export type { StepFindings, StepMetrics, TensorFinding, TensorInfo } from './native/types.js'

// Data

export { concat, fromBuffers, type SplitOptions, split, subset } from './data/combine.js'
export type { Dataset, ImageInput, RawImage } from './data/dataset.js'
export { type DecodedImage, type DecodeOptions, decodeImage } from './data/decode.js'
export { type FromAsyncIterableOptions, fromAsyncIterable, type StreamedImage } from './data/sources/async-iterable.js'
export type { ByteSourceOptions } from './data/sources/byte-source.js'
export type { HttpOptions } from './data/sources/http-bytes.js'
export { type IdxOptions, idx } from './data/sources/idx.js'
export { type ImageFolder, type ImageFolderOptions, imageFolder } from './data/sources/image-folder.js'
export { type ImageListOptions, imageList } from './data/sources/image-list.js'
export { type ParquetOptions, parquet } from './data/sources/parquet.js'
export { type NotedDataset, type WebDatasetOptions, webDataset } from './data/sources/web-dataset.js'

// Evaluation

export { type EmbeddingFile, type Embeddings, type EmbedOptions, embed } from './api/embed.js'
export { type EvaluateData, type EvaluateOptions, evaluate, knn, linearProbe } from './api/evaluate.js'
export { type FeatureExtractor, rawPixels } from './eval/extractor.js'
export type { KnnResult } from './eval/knn.js'
export type { LinearResult } from './eval/linear.js'
export type { EvalProgress } from './eval/task.js'

// What people look at

export { lossCurveFigure, type MetricsPoint } from './report/figures/loss-curve.js'
export { reconstructionFigure } from './report/figures/reconstruction.js'
export { tokenizerFigure } from './report/figures/tokenizer.js'
export { type ProgressOptions, terminalProgress } from './report/progress.js'

// Errors

export { CaeError, type CaeErrorCode, type CaeErrorParts } from './errors.js'
