import { type Command, Option } from 'commander'
import type { Field } from '../config/field.js'
import type { OptionGroup } from '../config/option-group.js'
import { checkValue } from '../config/resolve.js'

type AnyField = Field<unknown, unknown, unknown>

/** Declares a flag for every option of the groups, under the groups' titles. */
export function addFlags(command: Command, groups: readonly OptionGroup[]): void {
  const names = new Set(['data', 'out', 'model', ...groups.flatMap(({ fields }) => Object.keys(fields))])
  for (const { title, fields, docs } of groups) {
    for (const [name, field] of Object.entries(fields)) {
      const description = `${inTerminal(docs[name] ?? '', names)} ${defaultText(field, names)}`.trim()
      for (const option of optionsOf(name, field, description)) command.addOption(option.helpGroup(`${title}:`))
    }
  }
}

/** The options whose flags were given, by their names in the API; defaults are not among them. */
export function givenFlags(command: Command, groups: readonly OptionGroup[]): Record<string, unknown> {
  const values: Record<string, unknown> = command.opts()
  const names = groups.flatMap(({ fields }) => Object.keys(fields)).filter((name) => values[name] !== undefined)
  return Object.fromEntries(names.map((name) => [name, values[name] instanceof Given ? values[name].value : values[name]]))
}

/** `batchSize` is `--batch-size`. */
export function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** A flag's value on its way through commander, which would make an empty text of null. */
class Given {
  constructor(readonly value: unknown) {}
}

/** What a word of the command line stands for, checked; the table's own parsing comes when layers are put together. */
function parseWord(name: string, field: AnyField, word: string): Given {
  const value = wordValue(field, word)
  checkValue(field, value, flagName(name))
  return new Given(value)
}

function optionsOf(name: string, field: AnyField, description: string): Option[] {
  const flag = flagName(name)
  if (field.kind !== 'flag')
    return [new Option(`${flag} ${placeholder(field)}`, description).argParser((word) => parseWord(name, field, word))]
  // The one that changes the default is shown; both exist, as a configuration file may have set either.
  const [yes, no] = [
    new Option(flag, description),
    new Option(flag.replace('--', '--no-'), `Switches off: ${description.charAt(0).toLowerCase()}${description.slice(1)}`),
  ]
  return field.default === true ? [yes.hideHelp(), no] : [yes, no.hideHelp()]
}

function placeholder(field: AnyField): string {
  if (field.choices !== undefined && field.kind === 'choice') {
    const words = field.choices.join('|')
    return words.length <= 16 ? `<${words}>` : '<name>'
  }
  if (field.hint !== undefined) return `<${field.hint}>`
  return { int: '<n>', real: '<x>', bytes: '<bytes>', flag: '', choice: '', text: '<text>', size: '<n|HxW>', list: '<x,x,x>' }[field.kind]
}

function defaultText(field: AnyField, names: ReadonlySet<string>): string {
  const choices = field.kind === 'choice' && placeholder(field) === '<name>' ? `${field.choices?.join(', ')}; ` : ''
  return `(${choices}default ${plainDefault(field, names)})`
}

function plainDefault(field: AnyField, names: ReadonlySet<string>): string {
  const { default: value, meaning, unit } = field
  if (value === null) return inTerminal(meaning ?? 'none', names)
  if (value === true || value === false) return value ? 'on' : 'off'
  if (Array.isArray(value)) return value.map(shortNumber).join(field.kind === 'size' ? 'x' : ',') + (unit ? ` ${unit}` : '')
  if (typeof value === 'string') return meaning === undefined ? value : `${value}: ${inTerminal(meaning, names)}`
  if (meaning !== undefined) return inTerminal(meaning, names)
  return field.kind === 'bytes' ? byteText(Number(value)) : shortNumber(Number(value)) + (unit ? ` ${unit}` : '')
}

function shortNumber(value: number): string {
  const isPlain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6)
  return isPlain ? String(Number(value.toPrecision(4))) : value.toExponential().replace('e+', 'e')
}

function byteText(value: number): string {
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, value)) / 10))
  return `${value / 1024 ** power}${['', 'K', 'M', 'G'][power]}`
}

/** Names of options in backticks become flags, other words in backticks lose them. */
function inTerminal(text: string, names: ReadonlySet<string>): string {
  return text.replace(/`([^`]*)`/g, (_, word: string) => (names.has(word) ? flagName(word) : word))
}

const byteSuffix = /^(\d+(?:\.\d+)?)\s*([KMG])(?:i?B)?$/i

function wordValue(field: AnyField, word: string): unknown {
  if (word === 'none' && field.schema.safeParse(null).success) return null
  switch (field.kind) {
    case 'int':
    case 'real':
      return numberOr(word)
    case 'bytes': {
      const [, amount, suffix] = byteSuffix.exec(word) ?? []
      return amount && suffix ? Math.round(Number(amount) * 1024 ** ('KMG'.indexOf(suffix.toUpperCase()) + 1)) : numberOr(word)
    }
    case 'size':
      return word.includes('x') ? word.split('x').map(numberOr) : numberOr(word)
    case 'list':
      return word.split(',').map(numberOr)
    default:
      return word
  }
}

/** A word that is no number stays a word, so that the check can show it. */
function numberOr(word: string): number | string {
  return word.trim() === '' || Number.isNaN(Number(word)) ? word : Number(word)
}
