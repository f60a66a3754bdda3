import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { CaeError } from '../../errors.js'
import { messageOf } from '../../io/output-error.js'
import { isUrl } from './byte-source.js'
import { isGlob, parseGlob } from './glob.js'

/** More names than this in one pattern are a slip of the keyboard. */
const mostNames = 1_000_000

/**
 * The files that shards' names stand for: brace ranges (`x-{000..012}.tar`, `{a,b}`), patterns with `*`, and folders, in which those that end
 * in `extension` are taken. URLs know braces only. Names in a pattern or folder are sorted; those given are kept in their order.
 * @throws {CaeError} ERR_CAE_DATA when a pattern or folder has no such file
 */
export async function listShards(given: string | readonly string[], extension: string): Promise<string[]> {
  const names = (typeof given === 'string' ? [given] : given).flatMap((name) => expandBraces(name))
  if (names.length === 0) throw new CaeError('ERR_CAE_DATA', { what: 'the list of files is empty' })
  const lists = await Promise.all(names.map((name) => (isUrl(name) ? [name] : filesOf(name, extension))))
  return lists.flat()
}

async function filesOf(name: string, extension: string): Promise<string[]> {
  const facts = await stat(name).catch(() => undefined)
  if (facts?.isDirectory()) return inFolder(name, extension)
  if (facts !== undefined || !isGlob(name)) return [name] // where there is none, opening it tells
  const { base, matches } = parseGlob(name)
  const isDeep = name.slice(base.length + 1).includes('/')
  const entries = await readdir(base, { recursive: isDeep }).catch((error: unknown) => {
    throw new CaeError('ERR_CAE_DATA', { what: `cannot read the folder: ${messageOf(error)}`, where: base }, { cause: error })
  })
  const found = entries.map((entry) => entry.replaceAll('\\', '/')).filter((entry) => matches(entry))
  if (found.length > 0) return found.sort().map((entry) => join(base, entry))
  throw new CaeError('ERR_CAE_DATA', { what: 'no file matches the pattern', where: name })
}

async function inFolder(folder: string, extension: string): Promise<string[]> {
  const found = (await readdir(folder)).filter((name) => name.toLowerCase().endsWith(extension) && !name.startsWith('.'))
  if (found.length > 0) return found.sort().map((name) => join(folder, name))
  throw new CaeError('ERR_CAE_DATA', { what: `no ${extension} file in the folder`, where: folder })
}

/**
 * All names that a pattern with braces stands for: `{0..12}`, `{000..012}` (with leading zeros), `{a,b}`, one in another. A brace that is
 * neither stands for itself.
 */
export function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf('{')
  if (open < 0) return [pattern]
  const close = closingBrace(pattern, open)
  const choices = close < 0 ? undefined : choicesOf(pattern.slice(open + 1, close))
  if (choices === undefined) return expandBraces(pattern.slice(open + 1)).map((rest) => pattern.slice(0, open + 1) + rest)
  const heads = choices.flatMap((choice) => expandBraces(choice)).map((choice) => pattern.slice(0, open) + choice)
  const tails = expandBraces(pattern.slice(close + 1))
  if (heads.length * tails.length > mostNames) throw tooMany(pattern)
  return heads.flatMap((head) => tails.map((tail) => head + tail))
}

function closingBrace(pattern: string, open: number): number {
  let depth = 0
  for (let at = open; at < pattern.length; at++) {
    if (pattern[at] === '{') depth++
    else if (pattern[at] === '}' && --depth === 0) return at
  }
  return -1
}

function choicesOf(inside: string): string[] | undefined {
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(inside) ?? []
  if (from !== undefined && to !== undefined) return range(from, to)
  const choices = splitAtCommas(inside)
  return choices.length > 1 ? choices : undefined
}

/** With leading zeros where one of the ends has them, as shells do. */
function range(from: string, to: string): string[] {
  const [first, last] = [Number(from), Number(to)]
  const count = Math.abs(last - first) + 1
  if (count > mostNames) throw tooMany(`{${from}..${to}}`)
  const width = /^0\d/.test(from) || /^0\d/.test(to) ? Math.max(from.length, to.length) : 0
  return Array.from({ length: count }, (_, i) => String(first + (last < first ? -i : i)).padStart(width, '0'))
}

/** At the commas that lie in no inner brace. */
function splitAtCommas(inside: string): string[] {
  const parts = ['']
  let depth = 0
  for (const character of inside) {
    if (character === '{') depth++
    else if (character === '}') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}

function tooMany(pattern: string): CaeError {
  return new CaeError('ERR_CAE_DATA', { what: `a pattern for more than ${mostNames} files`, where: pattern })
}
