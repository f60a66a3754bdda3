/**
 * Letters as strokes. A machine without fonts (a slim container) would draw boxes for SVG text, and two machines with different fonts two
 * different pictures; these look the same everywhere.
 *
 * Units: capitals stand from y = 0 to the baseline at y = 14, small letters begin at y = 4, descenders end at y = 18; an em is 20.
 */

const em = 20
const baseline = 14
const gap = 3.1
const spaceWidth = 6.5
const strokeWidth = 1.75

const bowl = 'M8 9A4 5 0 1 1 0 9A4 5 0 1 1 8 9'

/** Width and strokes of each letter, as the data of an SVG path. */
const glyphs: Readonly<Record<string, readonly [width: number, path: string]>> = {
  a: [8, `${bowl}M8 4V14`],
  b: [8, `M0 0V14${bowl}`],
  c: [7, 'M7.3 6.2A4 5 0 1 0 7.3 11.8'],
  d: [8, `${bowl}M8 0V14`],
  e: [8, 'M0 9H8A4 5 0 1 0 7.1 12.2'],
  f: [5.5, 'M6 .4A3.3 3.6 0 0 0 2.5 4V14M0 5H5.4'],
  g: [8, `${bowl}M8 4V14.4A4 3.6 0 0 1 .8 16.4`],
  h: [8, 'M0 0V14M0 8.5A4 4.5 0 0 1 8 8.5V14'],
  i: [0, 'M0 4V14M0 .2V.4'],
  j: [2, 'M2 4V15A3 3 0 0 1 -.8 17.9M2 .2V.4'],
  k: [7.2, 'M0 0V14M6.8 4L.2 10.2M2.8 7.8L7.4 14'],
  l: [0, 'M0 0V14'],
  m: [12.8, 'M0 4V14M0 8A3.2 4 0 0 1 6.4 8V14M6.4 8A3.2 4 0 0 1 12.8 8V14'],
  n: [8, 'M0 4V14M0 8.5A4 4.5 0 0 1 8 8.5V14'],
  o: [8, bowl],
  p: [8, `M0 4V18${bowl}`],
  q: [8, `${bowl}M8 4V18`],
  r: [5, 'M0 4V14M0 8.7A4.4 4.7 0 0 1 5 4.1'],
  s: [7, 'M6.6 5.5C5.9 4.5 4.8 4 3.5 4C1.6 4 .4 5 .4 6.5C.4 10 7 7.9 7 11.4C7 13 5.6 14 3.6 14C2 14 .8 13.5 0 12.4'],
  t: [5.6, 'M2.5 .8V10.8A3 3.2 0 0 0 5.9 13.9M0 4.5H5.6'],
  u: [8, 'M0 4V9.5A4 4.5 0 0 0 8 9.5M8 4V14'],
  v: [8, 'M0 4L4 14L8 4'],
  w: [12, 'M0 4L3 14L6 4.6L9 14L12 4'],
  x: [7.4, 'M0 4L7.4 14M7.4 4L0 14'],
  y: [8, 'M0 4L4.1 13.8M8 4L3.3 16A3 3 0 0 1 .2 17.9'],
  z: [7, 'M.2 4H6.8L0 14H7.2'],
  A: [10, 'M0 14L5 0L10 14M1.8 9.2H8.2'],
  B: [8.6, 'M0 0V14H4.8A3.8 3.8 0 0 0 4.8 6.4H0M0 0H4.4A3.2 3.2 0 0 1 4.4 6.4'],
  C: [10, 'M9.6 2.6A5.4 7 0 1 0 9.6 11.4'],
  D: [10, 'M0 0V14H3.4A6.5 7 0 0 0 3.4 0Z'],
  E: [7.6, 'M7.6 0H0V14H7.8M0 6.8H6.6'],
  F: [7.4, 'M7.6 0H0V14M0 6.8H6.6'],
  G: [10.6, 'M9.8 2.6A5.4 7 0 1 0 10.6 9.6V7.6H6.2'],
  H: [9.4, 'M0 0V14M9.4 0V14M0 6.8H9.4'],
  I: [0, 'M0 0V14'],
  J: [6, 'M6 0V10A3.1 4 0 0 1 0 11.6'],
  K: [9, 'M0 0V14M8.4 0L.2 8.6M3.4 5.4L9 14'],
  L: [7.4, 'M0 0V14H7.4'],
  M: [11.2, 'M0 14V0L5.6 9.6L11.2 0V14'],
  N: [9.4, 'M0 14V0L9.4 14V0'],
  O: [11, 'M11 7A5.5 7 0 1 1 0 7A5.5 7 0 1 1 11 7'],
  P: [8.4, 'M0 14V0H4.6A3.8 3.8 0 0 1 4.6 7.6H0'],
  Q: [11, 'M11 7A5.5 7 0 1 1 0 7A5.5 7 0 1 1 11 7M7 10.4L11 15'],
  R: [8.8, 'M0 14V0H4.6A3.8 3.8 0 0 1 4.6 7.6H0M4.4 7.6L8.8 14'],
  S: [8.2, 'M7.8 1.9C6.8 .6 5.6 0 4.2 0C1.9 0 .5 1.4 .5 3.4C.5 8.2 8.2 5.6 8.2 10.3C8.2 12.6 6.5 14 4.2 14C2.4 14 .9 13.2 0 11.8'],
  T: [9, 'M0 0H9M4.5 0V14'],
  U: [9.2, 'M0 0V9.2A4.6 4.8 0 0 0 9.2 9.2V0'],
  V: [10, 'M0 0L5 14L10 0'],
  W: [14, 'M0 0L3.5 14L7 1L10.5 14L14 0'],
  X: [8.6, 'M0 0L8.6 14M8.6 0L0 14'],
  Y: [9.2, 'M0 0L4.6 7.2L9.2 0M4.6 7.2V14'],
  Z: [8.6, 'M.2 0H8.4L0 14H8.8'],
  0: [8, 'M8 7A4 7 0 1 1 0 7A4 7 0 1 1 8 7'],
  1: [8, 'M1.4 3L5 0V14'],
  2: [8, 'M.3 4.2A3.8 4 0 1 1 7 6.4L.1 14H8'],
  3: [8, 'M.5 2.6A3.6 3.4 0 1 1 3.6 6.6A3.9 3.7 0 1 1 0 11.2'],
  4: [8, 'M6 14V0L0 9.8H8.2'],
  5: [8, 'M7.2 0H1.4L.8 6.4A4.2 4.4 0 1 1 .2 11.9'],
  6: [8, 'M6.8 .8C2.8 .2 0 4.6 0 9.4M8 9.5A4 4.5 0 1 1 0 9.5A4 4.5 0 1 1 8 9.5'],
  7: [8, 'M0 0H8L2.9 14'],
  8: [8, 'M7.4 3.3A3.4 3.3 0 1 1 .6 3.3A3.4 3.3 0 1 1 7.4 3.3M8 10.3A4 3.7 0 1 1 0 10.3A4 3.7 0 1 1 8 10.3'],
  9: [8, 'M1.2 13.2C5.2 13.8 8 9.4 8 4.6M8 4.5A4 4.5 0 1 1 0 4.5A4 4.5 0 1 1 8 4.5'],
  '.': [0, 'M0 13.8V14'],
  ',': [1, 'M1 13.6L0 16.4'],
  ':': [0, 'M0 6V6.2M0 13.8V14'],
  '-': [5.4, 'M0 8.6H5.4'],
  '+': [8, 'M0 8.2H8M4 4.2V12.2'],
  '=': [8, 'M0 6.2H8M0 10.4H8'],
  '%': [12, 'M4.6 3A2.3 3 0 1 1 0 3A2.3 3 0 1 1 4.6 3M12 11A2.3 3 0 1 1 7.4 11A2.3 3 0 1 1 12 11M10 0L2 14'],
  '/': [5, 'M0 15.4L5 -1'],
  '(': [3, 'M3 -1.2A11 11 0 0 0 3 16.4'],
  ')': [3, 'M0 -1.2A11 11 0 0 1 0 16.4'],
  _: [8, 'M0 16H8'],
  "'": [0, 'M0 0V3.4'],
}

/** What stands for a letter that is not in the table. */
const unknownGlyph = [7, 'M0 0H7V14H0Z'] as const

/** Where and how a line of text stands. Lengths in pixels. */
export interface TextPlace {
  /** Of the anchor. */
  readonly x: number
  /** Of the baseline. */
  readonly y: number
  /** Height of a line; capitals are 0.7 of it. */
  readonly size: number
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly color: string
  /** Read from below to above. */
  readonly vertical?: boolean
}

/** Width of a line of text in pixels. */
export function textWidth(text: string, size: number): number {
  const width = [...text].reduce((sum, char) => sum + advance(char), 0)
  return text === '' ? 0 : ((width - gap) * size) / em
}

/** Breaks text at spaces into lines of at most `maxWidth` pixels; a longer word has a line of its own. */
export function wrapText(text: string, size: number, maxWidth: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    const joined = last === undefined ? word : `${last} ${word}`
    if (last !== undefined && textWidth(joined, size) <= maxWidth) lines[lines.length - 1] = joined
    else lines.push(word)
  }
  return lines
}

/** A line of text as an SVG element. */
export function svgText(text: string, { x, y, size, anchor = 'start', color, vertical = false }: TextPlace): string {
  const scale = size / em
  const shift = { start: 0, middle: -textWidth(text, size) / 2, end: -textWidth(text, size) }[anchor]
  let at = 0
  const letters = [...text].map((char) => {
    const path = char === ' ' ? '' : `<path transform="translate(${round(at)} 0)" d="${glyph(char)[1]}"/>`
    at += advance(char)
    return path
  })
  const turn = vertical ? ' rotate(-90)' : ''
  const place = `translate(${round(x)} ${round(y)})${turn} translate(${round(shift)} 0) scale(${round(scale)}) translate(0 ${-baseline})`
  const stroke = `fill="none" stroke="${color}" stroke-width="${strokeWidth}" stroke-linecap="round" stroke-linejoin="round"`
  return `<g transform="${place}" ${stroke}>${letters.join('')}</g>`
}

function glyph(char: string): readonly [number, string] {
  return glyphs[char] ?? unknownGlyph
}

function advance(char: string): number {
  return char === ' ' ? spaceWidth : glyph(char)[0] + gap
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
