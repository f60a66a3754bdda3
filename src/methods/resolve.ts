import { type VitConfig, vitFields } from '../config/architecture.js'
import type { Fields, Infer, Input } from '../config/field.js'
import type { PresetName } from '../config/presets.js'
import { type RecipeName, recipes } from '../config/recipes.js'
import { type Layer, optionError, type Resolution, type ResolveSettings, resolveFields, showValue, unknownName } from '../config/resolve.js'
import { autoLr, type TrainConfig, trainFields } from '../config/train.js'
import type { Dataset } from '../data/dataset.js'
import type { NativeConfig } from '../native/types.js'
import type { CAEConfigInput } from './cae.js'
import type { DvaeInput } from './dvae.js'
import type { LightDvaeInput } from './dvae-light.js'
import type { Method } from './method.js'
import {
  declarationOf,
  findMethod,
  type MethodName,
  type methods,
  type TokenizerMethodName,
  tokenizerOfPreset,
  tokenizerPresetNames,
  tokenizers,
} from './registry.js'
import { namedTarget, type TargetFacts, type TargetInput, type TargetView, targetOptions, targetView } from './target.js'

/** A model with every option resolved, of any method. */
export type ModelConfig = Infer<(typeof methods)[MethodName]['fields']>

/** A tokenizer with every option resolved, of any method. */
export type TokenizerConfig = Infer<(typeof tokenizers)[TokenizerMethodName]['fields']>

/** Name of a tokenizer's preset. */
export type TokenizerPresetName = { [N in TokenizerMethodName]: keyof (typeof tokenizers)[N]['presets'] }[TokenizerMethodName]

/** A tokenizer as a user describes it: a preset's name, or options over one; the preset says which network it is. */
export type TokenizerInput = TokenizerPresetName | DvaeInput | LightDvaeInput

/** What a run of any kind needs. */
export interface RunPlaces {
  /** Images: a path or URL that `docs/data.md` lists (a folder, a glob, shards, ...), or any `Dataset`. */
  readonly data: string | Dataset
  /** Folder that the run writes to. */
  readonly out: string
  /** Aborting ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined
}

/** What `trainTokenizer` takes. */
export type TokenizerTrainOptions = Omit<Input<typeof trainFields>, 'recipe'> &
  RunPlaces & {
    /** Name of a preset, or options over one: `{ preset: 'dvae-nano', vocabSize: 1024 }`. Default 'dvae-nano'. */
    readonly model?: TokenizerInput | undefined
  }

/** What `train` and `trainCAE` take. */
export type TrainOptions = Input<typeof trainFields> &
  RunPlaces & {
    /** Pre-training method; default 'cae'. */
    readonly method?: MethodName | undefined
    /** Name of a preset, or options over one: `{ preset: 'cae-small', imageSize: 96 }`. Default 'cae-small', or the recipe's. */
    readonly model?: PresetName | CAEConfigInput | undefined
    /** What is predicted instead of the pixels of hidden patches: a tokenizer's ids, or a frozen encoder's latents. */
    readonly target?: TargetInput | undefined
  }

/** A run with everything decided. */
export interface Resolved<Config = ModelConfig> {
  readonly model: Config
  readonly train: TrainConfig
  /** What was decided for the user and should be said: a scaled learning rate. */
  readonly notes: readonly string[]
  /** The second view, where other networks make the targets of it. */
  readonly view?: TargetView
}

/** Options of a run that are none of the table's. */
export const runOptionNames = ['data', 'out', 'method', 'model', 'target', 'signal'] as const

/** A layer that sets the run's length, or its warm-up, sets it whole: a recipe's other number does not fit any more. */
const replaces = {
  epochs: ['steps', 'warmupEpochs', 'warmupSteps'],
  steps: ['epochs', 'warmupEpochs', 'warmupSteps'],
  warmupEpochs: ['warmupSteps'],
  warmupSteps: ['warmupEpochs'],
} as const

/**
 * Resolves a model: preset, then the options over it; a resolved configuration comes out as it was.
 * @throws {CaeError} ERR_CAE_OPTION naming the option
 */
export function resolveModel(input: string | CAEConfigInput = {}, method: MethodName = 'cae'): ModelConfig {
  return resolveModelLayers(findMethod(method), undefined, input, '') as ModelConfig
}

/**
 * Resolves a tokenizer: preset, then the options over it; a resolved configuration comes out as it was.
 * @param method for a configuration that names no preset
 * @throws {CaeError} ERR_CAE_OPTION naming the option
 */
export function resolveTokenizer(
  input: TokenizerInput | TokenizerConfig = {},
  method?: TokenizerMethodName,
): { method: TokenizerMethodName; config: TokenizerConfig } {
  const name = method ?? tokenizerMethod(input)
  return { method: name, config: resolveModelLayers(tokenizers[name], undefined, input, '') as TokenizerConfig }
}

/** The keys that native/model and native/methods read, each exactly once. */
export function nativeModelConfig(config: object, method: string): NativeConfig {
  const { hereOnly, architecture } = declarationOf(method)
  const network = Object.entries(config).filter(([name]) => !hereOnly.includes(name))
  return { method, ...architecture, ...Object.fromEntries(network) }
}

/** The encoder of a model by itself, described like every other vision transformer. */
export function encoderConfig(config: ModelConfig, method: MethodName): VitConfig {
  const all = { ...findMethod(method).architecture, ...config }
  return resolveFields(vitFields, [{ values: pick(all, Object.keys(vitFields)) }]).values
}

function pick(values: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)))
}

/**
 * Resolves all options of a run: defaults, then preset, recipe, and the options themselves.
 * @param facts of what `target` names
 * @throws {CaeError} ERR_CAE_OPTION naming the option, its value, and the nearest valid name or range
 */
export function resolveTrain(options: TrainOptions, facts?: TargetFacts): Resolved {
  const { data, out, method = 'cae', model, target: _target, signal: _signal, ...rest } = options
  requireRunOptions(data, out)
  const { fields } = findMethod(method)
  const recipe = options.recipe == null ? undefined : findRecipe(options.recipe)
  const layers = [...(recipe ? [{ source: recipe.source, values: recipe.train }] : []), { values: rest }]
  const resolution = resolveFields(trainFields, layers, settings(fields))
  const own = { ...modelOptions(model ?? {}), ...(facts && targetOptions(facts)) }
  const resolvedModel = resolveModelLayers(findMethod(method), recipe, own, 'model.') as ModelConfig
  if (!facts) assertPixelTarget(resolvedModel)
  return { model: resolvedModel, ...completeTrain(resolution, method), ...(facts && { view: targetView(facts, resolvedModel) }) }
}

/** Other targets than pixels do not come of the images alone. */
function assertPixelTarget({ target }: ModelConfig): void {
  const makers = {
    tokens: ['a tokenizer that makes them', "target: { tokenizer: 'runs/tokenizer' }, or feed ids to Trainer.step yourself"],
    latents: ['an encoder that makes them', "target: { latents: 'clip/' }, or feed latents to Trainer.step yourself"],
  } as const
  if (target === 'pixels') return
  const [maker, todo] = makers[target]
  throw optionError({ what: `model.target '${target}' needs ${maker}`, todo })
}

/**
 * Resolves all options of a tokenizer's run: the preset's way to train takes the place of the tables' defaults.
 * @throws {CaeError} ERR_CAE_OPTION naming the option, its value, and the nearest valid name or range
 */
export function resolveTokenizerRun(options: TokenizerTrainOptions): Resolved<TokenizerConfig> {
  const { data, out, model = {}, signal: _signal, ...rest } = options
  requireRunOptions(data, out)
  if ('recipe' in rest && rest.recipe != null) {
    throw optionError({ what: 'recipe: tokenizers have none', todo: `model: one of ${tokenizerPresetNames.join(', ')}` })
  }
  const method = tokenizerMethod(model)
  const declared: Method = tokenizers[method]
  const defaults = declared.trainDefaults?.(String(modelOptions(model).preset ?? declared.defaultPreset)) ?? {}
  const own = rest.lr === 'auto' ? { ...rest, lr: undefined } : rest
  const resolution = resolveFields(withDefaults(trainFields, defaults), [{ values: own }], settings(declared.fields))
  return {
    model: resolveModelLayers(declared, undefined, model, 'model.') as TokenizerConfig,
    ...completeTrain(resolution, method),
  }
}

/** The same table, some of whose options have another default. */
function withDefaults<F extends Fields>(fields: F, defaults: Layer['values']): F {
  const entries = Object.entries(fields).map(([name, field]) => [name, name in defaults ? { ...field, default: defaults[name] } : field])
  return Object.fromEntries(entries)
}

function tokenizerMethod(input: unknown): TokenizerMethodName {
  const { preset } = modelOptions(input)
  return preset === undefined ? 'dvae' : tokenizerOfPreset(String(preset))
}

/**
 * Checks options one by one, as a configuration file has them, so that a complaint can name the file. Whether they go together shows in `resolveTrain`.
 * @param methodOf tells by whose table the model is checked
 * @throws {CaeError} ERR_CAE_OPTION
 */
export function checkRunOptions(
  values: Readonly<Record<string, unknown>>,
  source: string,
  methodOf: (values: Readonly<Record<string, unknown>>) => Method = ({ method = 'cae' }) => findMethod(String(method), source),
): void {
  const { data, out, method: _method, model, target, ...rest } = values
  namedTarget(target)
  for (const [name, path] of Object.entries({ data, out })) {
    if (path !== undefined && typeof path !== 'string') {
      throw optionError({ what: `${name} is ${showValue(path)}, expected a path`, where: source, todo: `${name}: some/folder` })
    }
  }
  const { fields } = methodOf(values)
  resolveFields(trainFields, [{ source, values: rest }], settings(fields))
  if (model !== undefined)
    resolveFields(fields, [{ source, values: omitPreset(modelOptions(model)) }], { prefix: 'model.', otherNames: ['preset'] })
}

/** The table that a tokenizer's configuration file is checked by. */
export function tokenizerMethodOf({ model = {} }: Readonly<Record<string, unknown>>): Method {
  return tokenizers[tokenizerMethod(model)]
}

/** Options of a stronger layer over those of a weaker one; what the stronger one replaces is dropped. */
export function overlayRunOptions(
  weaker: Readonly<Record<string, unknown>>,
  stronger: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const replaced = Object.entries(replaces).flatMap(([name, others]) => (stronger[name] == null ? [] : others))
  const kept = Object.entries(weaker).filter(([name]) => !(replaced as string[]).includes(name))
  const models = [weaker.model, stronger.model].filter((model) => model !== undefined).map(modelOptions)
  return { ...Object.fromEntries(kept), ...stronger, ...(models.length > 0 ? { model: Object.assign({}, ...models) } : {}) }
}

interface Recipe {
  readonly source: string
  readonly preset: string
  readonly model: Layer['values']
  readonly train: Layer['values']
}

function settings(modelFields: Fields): ResolveSettings {
  return {
    replaces,
    otherNames: runOptionNames,
    elsewhere: (name) => (Object.hasOwn(modelFields, name) ? `model: { ${name}: ... }` : undefined),
  }
}

function findRecipe(name: string): Recipe {
  if (!Object.hasOwn(recipes, name)) throw unknownName('recipe', name, Object.keys(recipes))
  return { source: `recipe '${name}'`, ...recipes[name as RecipeName] }
}

function resolveModelLayers(declared: Method, recipe: Recipe | undefined, input: unknown, prefix: string): Infer<Fields> {
  const { preset, ...own } = modelOptions(input)
  const name = String(preset ?? recipe?.preset ?? declared.defaultPreset)
  const row = Object.hasOwn(declared.presets, name) ? declared.presets[name] : undefined
  if (row === undefined) throw unknownName('model preset', name, Object.keys(declared.presets))
  const implied = declared.implied?.({ ...row, ...recipe?.model, ...own }) ?? {}
  const layers = [
    { source: `preset '${name}'`, values: row },
    ...(recipe ? [{ source: recipe.source, values: recipe.model }] : []),
    { values: implied },
    { values: own },
  ]
  return declared.complete(resolveFields(declared.fields, layers, { prefix, otherNames: ['preset'] }))
}

function omitPreset({ preset: _preset, ...options }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return options
}

function modelOptions(input: unknown): Readonly<Record<string, unknown>> {
  if (typeof input === 'string') return { preset: input }
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input }
  throw optionError({
    what: `model is ${showValue(input)}, expected a preset's name or an object of model options`,
    todo: "model: 'cae-small'",
  })
}

function requireRunOptions(data: unknown, out: unknown): void {
  const isDataset = typeof data === 'object' && data !== null && 'length' in data && 'get' in data
  if (!(isDataset || (typeof data === 'string' && data !== ''))) {
    const what = data === undefined ? 'data is missing' : `data is ${showValue(data)}, expected a path or a Dataset`
    throw optionError({ what, todo: "data: 'photos/', a glob such as 'photos/**/*.jpg', shards such as 'x-{000..012}.tar', or a Dataset" })
  }
  if (typeof out !== 'string' || out === '') {
    throw optionError({
      what: out === undefined ? 'out is missing' : `out is ${showValue(out)}, expected a folder`,
      todo: "out: 'runs/first'",
    })
  }
}

function completeTrain({ values, refuse }: Resolution<typeof trainFields>, method: string): { train: TrainConfig; notes: string[] } {
  const { batchSize, microBatchSize } = values
  const epochs = values.epochs ?? (values.steps === null ? 100 : null)
  const lr = values.lr === 'auto' ? autoLr(batchSize) : values.lr
  const notes = values.lr === 'auto' ? [`lr ${lr.toPrecision(3)} = 1.5e-3 × √(batchSize ${batchSize} / 2048), as lr is 'auto'`] : []
  const train = { ...values, method, epochs, lr, ...warmup(epochs, values) }

  if (microBatchSize !== null && batchSize % microBatchSize !== 0) {
    refuse('microBatchSize', `does not divide batchSize ${batchSize}`, `a divisor of ${batchSize}, or another batchSize`)
  }
  if (train.minLr > lr) refuse('minLr', `is above lr ${lr.toPrecision(3)}`, `minLr: 0, or a higher lr`)
  if (epochs !== null && train.warmupEpochs > epochs)
    refuse('warmupEpochs', `is longer than the run of ${epochs} epochs`, `at most ${epochs}`)
  if (train.steps !== null && train.warmupSteps > train.steps) {
    refuse('warmupSteps', `is longer than the run of ${train.steps} steps`, `at most ${train.steps}`)
  }
  if (train.scaleMin > train.scaleMax) refuse('scaleMin', `is above scaleMax ${train.scaleMax}`, 'a smaller scaleMin')
  if (train.ratioMin > train.ratioMax) refuse('ratioMin', `is above ratioMax ${train.ratioMax}`, 'a smaller ratioMin')
  if (train.keepEvery > 0 && (train.checkpointEvery === 0 || train.keepEvery % train.checkpointEvery !== 0)) {
    refuse('keepEvery', `is not a multiple of checkpointEvery ${train.checkpointEvery}`, 'a multiple, or 0')
  }
  return { train, notes }
}

/** Length of the warm-up: what the user says, else 5 % of the run. Exactly one of the two numbers is read: steps where they are not 0. */
function warmup(
  epochs: number | null,
  given: { readonly warmupEpochs: number | null; readonly warmupSteps: number | null; readonly steps: number | null },
): { warmupEpochs: number; warmupSteps: number } {
  if (given.warmupEpochs !== null || given.warmupSteps !== null) {
    return { warmupEpochs: given.warmupEpochs ?? 0, warmupSteps: given.warmupSteps ?? 0 }
  }
  if (epochs !== null) return { warmupEpochs: Math.min(10, 0.05 * epochs), warmupSteps: 0 }
  return { warmupEpochs: 0, warmupSteps: Math.round(0.05 * (given.steps ?? 0)) }
}
