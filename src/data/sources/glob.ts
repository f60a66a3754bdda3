import { sep } from 'node:path'

/** A pattern such as `photos/**\/*.{jpg,png}` cut in two: a folder to walk and a test for paths below it. */
export interface Glob {
  readonly base: string
  /** @param relative path below `base`, with `/` between its parts */
  matches(relative: string): boolean
}

const magic = /[*?{]/

/** Whether a path is a pattern. */
export function isGlob(path: string): boolean {
  return magic.test(path)
}

/**
 * Reads a pattern: `*` any run of characters within a name, `**` any folders, `?` one character, `{a,b}` either. Everything else stands for
 * itself.
 */
export function parseGlob(pattern: string): Glob {
  const parts = pattern.split(sep === '\\' ? /[\\/]/ : '/')
  const firstMagic = parts.findIndex((part) => magic.test(part))
  const fixed = firstMagic < 0 ? parts.length : firstMagic
  const base = parts.slice(0, fixed).join('/')
  const test = new RegExp(`^${toRegExp(parts.slice(fixed).join('/'))}$`, 'su')
  return { base: base === '' ? (pattern.startsWith('/') ? '/' : '.') : base, matches: (relative) => test.test(relative) }
}

function toRegExp(pattern: string): string {
  let depth = 0
  return pattern.replaceAll(/\*\*\/|\*\*|\*|\?|[{},]|[\\^$.|+()[\]/]/g, (token) => {
    switch (token) {
      case '**/':
        return '(?:[^/]+/)*'
      case '**':
        return '.*'
      case '*':
        return '[^/]*'
      case '?':
        return '[^/]'
      case '{':
        depth++
        return '(?:'
      case '}':
        return depth-- > 0 ? ')' : '\\}'
      case ',':
        return depth > 0 ? '|' : ','
      default:
        return token === '/' ? '/' : `\\${token}`
    }
  })
}
