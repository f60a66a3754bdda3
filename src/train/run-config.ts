import type { TrainConfig } from '../config/train.js'
import { CaeError } from '../errors.js'

/** `config.json` of a run: everything resolved, and what it was made with. */
export interface RunConfig {
  readonly format: 1
  readonly model: Readonly<Record<string, unknown>>
  /** Device, precision and threads as they were chosen; `steps` as derived. */
  readonly train: TrainConfig & { readonly steps: number }
  readonly data: RunData
  /** What makes the targets, where they are tokens; recognised by its file's checksum. */
  readonly tokenizer?: TargetIdentity
  /** The same where they are latents; the checksum is of the encoder's configuration and weights. */
  readonly tower?: TargetIdentity
  readonly versions: { readonly package: string; readonly libtorch: string; readonly node: string }
  readonly machine?: RunMachine
  /** Of the repository that the process was started in. */
  readonly commit?: string
}

/** What a resumed run recognises by its checksum, wherever it lies by then. */
export interface TargetIdentity {
  readonly path: string
  readonly sha256: string
}

/** What the last bits of sums depend on beside the options. */
export interface RunMachine {
  /** Instructions that libtorch chose its kernels by: `AVX512`, ... */
  readonly cpu: string
}

/** What a resumed run recognises its data by. */
export interface RunData {
  /** As it was given; null for a data set of the caller's own. */
  readonly source: string | null
  readonly images: number
  /** Checksum over the names of up to a few thousand images, folders left out, and the set's fingerprint where it has one: a set that was moved is the same. */
  readonly names: string
}

/** Training options that change when a run writes or stops, but no number that it computes. All others must stay when it is resumed. */
const free = new Set<string>([
  'recipe', // a name for other options
  'epochs', // compared as steps
  'initFrom', // a checkpoint takes its place
  'resume',
  'allowConfigChange',
  'checkpointEvery',
  'keepLast',
  'keepEvery',
  'figureEvery',
  'figureImages',
  'maxSkippedSteps',
  'readTimeout',
  'maxBadFraction',
  'cache',
  'prefetchBytes',
] satisfies (keyof TrainConfig)[])

/**
 * Reads a run's `config.json`.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when it is something else
 */
export function parseRunConfig(value: unknown, path: string): RunConfig {
  const isObject = (part: unknown) => typeof part === 'object' && part !== null
  const { format, model, train, data } = (isObject(value) ? value : {}) as Partial<Record<keyof RunConfig, unknown>>
  if (format === 1 && isObject(model) && isObject(train) && isObject(data)) return value as RunConfig
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: 'not the configuration of a run of this version',
    where: path,
    todo: 'choose another `out`',
  })
}

/**
 * Checks that a resumed run would compute what the unbroken one would have.
 * @returns what was changed, as a sentence to warn with, where `allowConfigChange` lets it be; undefined where nothing was
 * @throws {CaeError} ERR_CAE_OPTION naming every option that was changed, with both values
 */
export function compareRuns(before: RunConfig, now: RunConfig, path: string): string | undefined {
  const stepsName = now.train.epochs === null ? 'steps' : 'epochs'
  const changes = [
    ...differences(before.model, now.model).map((change) => ({ ...change, name: `model.${change.name}` })),
    ...differences({ ...before.train }, { ...now.train })
      .filter(({ name, was }) => !free.has(name) && !(name === 'threads' && was === 0)) // 0: earlier versions did not note the number
      .map((change) => (change.name === 'steps' ? { ...change, name: stepsName, unit: ' steps' } : change)),
    ...dataChanges(before.data, now.data),
    ...targetChanges('the tokenizer of `target` (sha256)', before.tokenizer, now.tokenizer),
    ...targetChanges('the encoder of `target` (sha256)', before.tower, now.tower),
  ]
  if (changes.length === 0) return undefined
  const list = changes.map(({ name, was, is, ...rest }) => {
    const unit = 'unit' in rest ? rest.unit : ''
    return `${name} was ${JSON.stringify(was)}${unit}, is ${JSON.stringify(is)}${unit}`
  })
  if (now.train.allowConfigChange) {
    return `the run goes on otherwise than it began, and ends otherwise than an unbroken one would: ${list.join('; ')}`
  }
  throw refusal(list, path)
}

/**
 * The same of the data alone, before an image is read: of other images, each would be set apart as changed.
 * @throws {CaeError} ERR_CAE_OPTION
 */
export function assertSameData(before: RunData, now: RunData, path: string): void {
  const list = dataChanges(before, now).map(({ name, was, is }) => `${name} was ${JSON.stringify(was)}, is ${JSON.stringify(is)}`)
  if (list.length > 0) throw refusal(list, path)
}

function dataChanges(before: RunData, now: RunData): Change[] {
  return differences({ images: before.images, names: before.names }, { images: now.images, names: now.names })
    .slice(0, 1)
    .map((change) => ({ ...change, name: `data (${change.name})` }))
}

function refusal(list: readonly string[], path: string): CaeError {
  return new CaeError('ERR_CAE_OPTION', {
    what: `a resumed run must go on as it began, but ${list.join('; ')}`,
    where: path,
    todo:
      'give the old values again; start a new run in another `out` (with `initFrom`, from the weights of this one); ' +
      'or go on all the same with `allowConfigChange` (--allow-config-change)',
  })
}

function targetChanges(name: string, before: TargetIdentity | undefined, now: TargetIdentity | undefined): Change[] {
  return differences({ sha256: before?.sha256 ?? null }, { sha256: now?.sha256 ?? null }).map((change) => ({ ...change, name }))
}

/**
 * What is not an option and still changes the last bits: another machine or library. Nobody can be asked to bring the old one back, so this is
 * no reason to refuse.
 * @returns a sentence to warn with, or undefined where all is as it was
 */
export function compareMachines(before: RunConfig, now: RunConfig): string | undefined {
  const facts = ({ versions, machine }: RunConfig) => ({ libtorch: versions.libtorch, ...(machine && { cpu: machine.cpu }) })
  const changes = before.machine ? differences(facts(before), facts(now)) : []
  if (changes.length === 0) return undefined
  const list = changes.map(({ name, was, is }) => `${name} was ${was}, is ${is}`).join('; ')
  return `the run goes on elsewhere (${list}): its last bits may differ from those of an unbroken one`
}

interface Change {
  readonly name: string
  readonly was: unknown
  readonly is: unknown
}

function differences(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)])
  return [...names]
    .map((name) => ({ name, was: before[name], is: now[name] }))
    .filter(({ was, is }) => JSON.stringify(was) !== JSON.stringify(is))
}
