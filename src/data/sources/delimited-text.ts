/**
 * Reads a table as text (RFC 4180): fields between separators, in double quotes where they hold one; lines end in LF or CRLF. Empty lines are
 * passed over.
 * @throws where quotes are not closed
 */
export function* tableRows(text: string, separator: string): Generator<readonly string[]> {
  for (let at = 0; at < text.length; ) {
    const row: string[] = []
    for (;;) {
      const { field, end } = text[at] === '"' ? quoted(text, at) : plain(text, at, separator)
      row.push(field)
      at = end + 1
      if (text[end] !== separator) {
        if (text[end] === '\r') at++ // its line feed
        break
      }
    }
    if (row.length > 1 || row[0] !== '') yield row
  }
}

function plain(text: string, from: number, separator: string): { readonly field: string; readonly end: number } {
  let end = from
  while (end < text.length && text[end] !== separator && text[end] !== '\n' && !isCrLf(text, end)) end++
  return { field: text.slice(from, end), end }
}

function quoted(text: string, from: number): { readonly field: string; readonly end: number } {
  for (let at = from + 1; ; at++) {
    at = text.indexOf('"', at)
    if (at < 0) throw new Error(`quotes that are opened at character ${from} are never closed`)
    if (text[at + 1] === '"')
      at++ // two stand for one
    else return { field: text.slice(from + 1, at).replaceAll('""', '"'), end: at + 1 }
  }
}

function isCrLf(text: string, at: number): boolean {
  return text[at] === '\r' && text[at + 1] === '\n'
}
