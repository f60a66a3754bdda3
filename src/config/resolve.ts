import { CaeError } from '../errors.js'
import type { Field, Fields, Parsed } from './field.js'
import { nearestName } from './nearest-name.js'

/** Values from one place. Layers are given weakest first: preset, recipe, configuration file, the user's own options. */
export interface Layer {
  /** How messages call the place: `recipe 'demo'`, `runs.yaml`; undefined for the options of the call itself. */
  readonly source?: string | undefined
  readonly values: Readonly<Record<string, unknown>>
}

/** A table's options, each checked by itself; what derives or compares options goes on from here. */
export interface Resolution<F extends Fields> {
  readonly values: Parsed<F>
  /** Ends in an ERR_CAE_OPTION that names the option, its value (given where it was derived), and where it comes from. */
  refuse(name: keyof F & string, complaint: string, todo: string, value?: unknown): never
}

/** What `resolveFields` must know beside the table. */
export interface ResolveSettings {
  /** Written before an option's name in messages: `model.`. */
  readonly prefix?: string
  /** Options that a layer takes back from the layers below it by giving another; two that take back one another are never given together. */
  readonly replaces?: Readonly<Record<string, readonly string[]>>
  /** Names that are none of the table's but would be right here; for the nearest name. */
  readonly otherNames?: readonly string[]
  /** Where a name that is unknown here belongs: `model: { imageSize: ... }`. */
  readonly elsewhere?: (name: string) => string | undefined
}

/**
 * Lays layers over a table's defaults, checking every value.
 * @throws {CaeError} ERR_CAE_OPTION for an unknown name, a value of the wrong type or range, or two options in one layer that exclude each other
 */
export function resolveFields<F extends Fields>(fields: F, layers: readonly Layer[], settings: ResolveSettings = {}): Resolution<F> {
  const prefix = settings.prefix ?? ''
  const values: Record<string, unknown> = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default]))
  const sources = new Map<string, string | undefined>()
  for (const layer of layers) {
    const given = Object.entries(layer.values).filter(([, value]) => value !== undefined)
    for (const [name] of given) checkName(fields, name, layer, settings)
    replaceLower(fields, layer, values, settings)
    for (const [name, value] of given) {
      values[name] = checkValue(fields[name] as Field<unknown, unknown, unknown>, value, `${prefix}${name}`, layer.source)
      sources.set(name, layer.source)
    }
  }
  return {
    values: values as Parsed<F>,
    refuse(name, complaint, todo, value = values[name]) {
      throw optionError({ what: `${prefix}${name} ${showValue(value)} ${complaint}`, where: sources.get(name), todo })
    },
  }
}

/**
 * A value as a field takes it.
 * @param path how the message calls the option: `model.imageSize`, `--image-size`
 * @throws {CaeError} ERR_CAE_OPTION that says what is expected
 */
export function checkValue<P>(field: Field<unknown, P, unknown>, value: unknown, path: string, source?: string): P {
  const result = field.schema.safeParse(value)
  if (result.success) return result.data
  const near = typeof value === 'string' && field.choices !== undefined ? nearestName(value, field.choices) : undefined
  const usual = field.default === null ? `leave it out (${field.meaning})` : `${showValue(field.default)}, the default`
  throw optionError({
    what: `${path} is ${showValue(value)}, expected ${field.expects}`,
    where: source,
    todo: near === undefined ? usual : `'${near}'`,
  })
}

/** The error for a name that is not among `names`: the nearest one, and the others where they are few. */
export function unknownName(kind: string, name: string, names: readonly string[], source?: string): CaeError {
  const near = nearestName(name, names)
  const all = names.length <= 12 ? names.map((known) => `'${known}'`).join(', ') : undefined
  const todo = near === undefined ? (all ?? 'a name that `cae-torch COMMAND --help` lists') : `'${near}'`
  return optionError({ what: `${kind} '${name}' is unknown${near !== undefined && all ? `, there are ${all}` : ''}`, where: source, todo })
}

/** The error of everything that is wrong with an option. */
export function optionError(parts: { what: string; where?: string | undefined; todo: string }): CaeError {
  return new CaeError('ERR_CAE_OPTION', parts)
}

/** A value as messages show it. */
export function showValue(value: unknown): string {
  if (Array.isArray(value) && value.length === 2 && value.every((n) => typeof n === 'number')) return `${value[0]}x${value[1]}`
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`
  return JSON.stringify(value) ?? String(value)
}

function checkName(fields: Fields, name: string, layer: Layer, { prefix = '', otherNames = [], elsewhere }: ResolveSettings): void {
  if (Object.hasOwn(fields, name)) return
  const todo = elsewhere?.(name)
  if (todo !== undefined) throw optionError({ what: `option '${prefix}${name}' does not belong here`, where: layer.source, todo })
  const names = [...Object.keys(fields), ...otherNames].map((known) => `${prefix}${known}`)
  throw unknownName('option', `${prefix}${name}`, names, layer.source)
}

/** Puts back to their defaults what lower layers gave and this layer replaces. */
function replaceLower(
  fields: Fields,
  layer: Layer,
  values: Record<string, unknown>,
  { prefix = '', replaces = {} }: ResolveSettings,
): void {
  for (const [name, others] of Object.entries(replaces)) {
    if ((layer.values[name] ?? null) === null) continue
    for (const other of others) {
      if (layer.values[name] && layer.values[other] && replaces[other]?.includes(name)) {
        throw optionError({ what: `${prefix}${name} and ${prefix}${other} are both given`, where: layer.source, todo: 'give one of them' })
      }
      values[other] = fields[other]?.default
    }
  }
}
