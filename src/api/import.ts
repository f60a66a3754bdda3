import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { VitConfig } from '../config/architecture.js'
import { type ImportConfig, type ImportInput, importFields } from '../config/import.js'
import { optionError, resolveFields } from '../config/resolve.js'
import { caeConfig, type WholeCae, wholeCae } from '../import/cae-model.js'
import type { EncoderFile } from '../import/encoder-file.js'
import { encoderTensors } from '../import/encoder-tensors.js'
import type { KeyReport } from '../import/key-report.js'
import { openEncoderFile } from '../import/open-encoder.js'
import type { ForeignMethod, OriginName } from '../import/origin.js'
import { encoderMetadata, originMetadata, projectionName } from '../import/own-file.js'
import { writeFileAtomic } from '../io/atomic-write.js'
import { FiniteWatch } from '../io/finite-watch.js'
import { outputError } from '../io/output-error.js'
import { type SafetensorsEntry, writeSafetensors } from '../io/safetensors.js'
import { openTensorFile } from '../io/tensor-file.js'
import { type ModelConfig, resolveModel } from '../methods/resolve.js'
import { createNativeModel } from './native-model.js'
import { findWeights, loadWeightsFile, saveWeights } from './weights.js'

/** How weights of others are taken over. */
export interface ImportOptions extends ImportInput {
  /** Folder to write `model.safetensors` and `import.json` to. */
  readonly out: string
}

/** What was taken over; `import.json` holds the same. */
export interface ImportReport {
  readonly source: { readonly path: string; readonly format: string; readonly container: string }
  readonly origin: OriginName
  readonly method: ForeignMethod
  readonly title: string
  /** An encoder alone, or a whole Context Autoencoder. */
  readonly kind: 'encoder' | 'cae'
  /** What `model.safetensors` says of itself: every option of the encoder, or of the model. */
  readonly config: ModelConfig | VitConfig
  readonly keys: KeyReport
  /** What should be known of the values: infinite ones, and those that are no numbers. */
  readonly warnings: readonly string[]
}

/**
 * Writes weights that others have trained in this package's own format, with all that there is to say about them: an encoder, or a whole
 * Context Autoencoder. `Encoder.load(out)` and, for a whole one, `ContextAutoencoder.load(out)` take it from there.
 * @returns what became of every tensor; values that are not finite are taken as they are and told in `warnings`
 * @throws {CaeError} ERR_CAE_CHECKPOINT when the file is no encoder that is known, or not all of it; ERR_CAE_OPTION when an option must be
 *   given; ERR_CAE_OUTPUT. Nothing is written then.
 * @example
 * const { title, keys } = await importWeights('mae_pretrain_vit_base.pth', { out: 'mae-base' })
 */
export async function importWeights(path: string, { out, ...given }: ImportOptions): Promise<ImportReport> {
  if (typeof out !== 'string' || out === '') throw optionError({ what: 'out is missing', todo: "out: 'imported/'" })
  const options = resolveFields(importFields, [{ values: given }], { otherNames: ['out'] }).values
  await using file = await openEncoderFile(await findWeights(path), options)
  if (file.origin.origin === 'cae-torch') {
    throw optionError({ what: 'this file is in the own format of this package already', where: file.path, todo: 'load it as it is' })
  }
  const whole = await wholeOf(file.path)
  await mkdir(out, { recursive: true }).catch((error: unknown) => {
    throw outputError(out, error)
  })
  const target = join(out, 'model.safetensors')
  const report = whole ? await importModel(file, whole, target, options) : await importEncoder(file, target)
  await writeFileAtomic(join(out, 'import.json'), (sink) => sink.write(Buffer.from(`${JSON.stringify(report, null, 2)}\n`)))
  return report
}

async function importEncoder(file: EncoderFile, target: string): Promise<ImportReport> {
  const shapes = encoderTensors(file.config)
  const watch = new FiniteWatch()
  const entries = file.report.matched.map((matched): SafetensorsEntry => {
    const data = async () => {
      const { data: values } = await file.read(matched)
      watch.note(matched.from.join(', '), values)
      return values
    }
    return { name: `encoder.${matched.name}`, dtype: 'F32', shape: shapes.get(matched.name) ?? [], data }
  })
  const { projection } = file
  if (projection) {
    const data = async () => (await file.readProjection())?.data ?? new Float32Array()
    entries.push({ name: projectionName, dtype: 'F32', shape: [projection.outputs, file.config.embedDim], data })
  }
  await writeSafetensors(target, entries, encoderMetadata(file.config, file.origin))
  const own = prefixed(file.report)
  const keys = projection ? withProjection(own, projection.from) : own
  return { ...facts(file), kind: 'encoder', config: file.config, keys, warnings: watch.warnings }
}

/** An encoder does without CLIP's projection, but as another model's target it is wanted with it. */
function withProjection(report: KeyReport, from: string): KeyReport {
  const matched = [...report.matched, { name: projectionName, from: [from] }]
  return { ...report, matched, unused: report.unused.filter((name) => name !== from) }
}

/** Through the model itself, which checks that all of it is there. */
async function importModel(file: EncoderFile, whole: WholeCae, target: string, options: ImportConfig): Promise<ImportReport> {
  if (options.imageSize !== null || options.patchSize !== null) {
    throw optionError({
      what: 'imageSize and patchSize of a whole model cannot be changed',
      todo: 'leave them out; Encoder.load resamples the encoder of what is written',
    })
  }
  const config = resolveModel(caeConfig(whole, file.config, file.path))
  const model = await createNativeModel(config, { method: 'cae', device: 'cpu', seed: 0 })
  const load = async () => {
    const { warnings } = await loadWeightsFile(file.path, model, { strict: options.strict })
    await saveWeights(target, model, originMetadata(file.origin))
    return warnings
  }
  const warnings = await load().finally(() => model.handle.dispose())
  const unexpected = file.report.unexpected
  return {
    ...facts(file),
    kind: 'cae',
    config,
    keys: { matched: whole.matched, reshaped: [], missing: [], unused: whole.unused, unexpected },
    warnings,
  }
}

function facts({ path, format, container, origin }: EncoderFile): Pick<ImportReport, 'source' | 'origin' | 'method' | 'title'> {
  return { source: { path, format, container }, origin: origin.origin, method: origin.method, title: origin.title }
}

/** Names as they are in the file that is written. */
function prefixed(report: KeyReport): KeyReport {
  const rename = <T extends { readonly name: string }>(entry: T): T => ({ ...entry, name: `encoder.${entry.name}` })
  return { ...report, matched: report.matched.map(rename), reshaped: report.reshaped.map(rename) }
}

/** The whole model in a file; undefined where there is none. */
async function wholeOf(path: string): Promise<WholeCae | undefined> {
  await using file = await openTensorFile(path)
  return wholeCae(new Map([...file.tensors].map(([name, { shape }]) => [name, shape])))
}
