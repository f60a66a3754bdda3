import { CaeError } from '../../errors.js'
import { enlarge, type Pixels, type PlacedPixels, renderPng } from '../png.js'
import { svgText, textWidth, wrapText } from './lettering.js'

/** A column of equally sized images, one a row. */
export interface GridColumn {
  readonly title: string
  /** A second, smaller line under the title. */
  readonly note?: string
  readonly images: readonly Pixels[]
  /** Keep the edges of pixels sharp when images are enlarged. */
  readonly crisp?: boolean
}

/** Images are enlarged by a whole factor until their shorter side has at least this many pixels. */
const leastTilePx = 128
const space = 8
const margin = 24
const headerPx = 46
const captionLinePx = 18
const titleSize = 16
const noteSize = 12
/** Off white: a white image still shows where it ends. */
const background = '#f2f2f2'

/**
 * Rows of images under column titles, as a PNG file.
 * @param columns of equal length, all images of one size
 * @param caption a line below the images
 */
export async function gridFigure(columns: readonly GridColumn[], caption?: string): Promise<Uint8Array> {
  const first = columns[0]?.images[0]
  const rows = columns[0]?.images.length
  if (!first || rows === undefined) throw new CaeError('ERR_CAE_INTERNAL', { what: 'a grid needs at least one image' })
  const scale = Math.max(1, Math.ceil(leastTilePx / Math.min(first.width, first.height)))
  const tile = { width: first.width * scale, height: first.height * scale }
  const pitch = { x: columnPitch(columns, tile.width), y: tile.height + space }

  const placed = columns.flatMap(({ images, crisp = false }, column) =>
    images.map(async (image, row): Promise<PlacedPixels> => {
      const large = scale === 1 ? image : crisp ? repeatPixels(image, scale) : await enlarge(image, tile)
      return { ...large, left: margin + column * pitch.x, top: margin + headerPx + row * pitch.y }
    }),
  )
  const inner = Math.ceil((columns.length - 1) * pitch.x + Math.max(tile.width, lastTitleWidth(columns)))
  const captionLines = caption === undefined ? [] : wrapText(caption, noteSize, inner)
  const captionTop = margin + headerPx + rows * pitch.y + space
  const size = { width: inner + 2 * margin, height: captionTop + margin - 2 * space + captionLines.length * captionLinePx }

  const titles = columns.flatMap(({ title, note = '' }, column) => {
    const x = margin + column * pitch.x
    return [
      svgText(title, { x, y: margin + 14, size: titleSize, color: '#1a1a1a' }),
      svgText(note, { x, y: margin + 33, size: noteSize, color: '#666666' }),
    ]
  })
  const captionTexts = captionLines.map((line, at) =>
    svgText(line, { x: margin, y: captionTop + 6 + at * captionLinePx, size: noteSize, color: '#444444' }),
  )
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">`,
    `<rect width="100%" height="100%" fill="${background}"/>`,
    ...titles,
    ...captionTexts,
    '</svg>',
  ]
  return renderPng(svg.join(''), await Promise.all(placed))
}

/** Distance of the columns: titles must not touch each other. */
function columnPitch(columns: readonly GridColumn[], tileWidth: number): number {
  return Math.ceil(Math.max(tileWidth + space, ...columns.map((column) => titleWidth(column) + space)))
}

function lastTitleWidth(columns: readonly GridColumn[]): number {
  const last = columns.at(-1)
  return last ? titleWidth(last) : 0
}

function titleWidth({ title, note = '' }: GridColumn): number {
  return Math.max(textWidth(title, titleSize), textWidth(note, noteSize))
}

/** Every pixel as a square of `scale` times `scale`. */
function repeatPixels({ data, width, height }: Pixels, scale: number): Pixels {
  const large = new Uint8Array(data.length * scale * scale)
  let at = 0
  for (let y = 0; y < height * scale; y++) {
    const row = Math.floor(y / scale) * width
    for (let x = 0; x < width * scale; x++) {
      const from = (row + Math.floor(x / scale)) * 3
      large.set(data.subarray(from, from + 3), at)
      at += 3
    }
  }
  return { data: large, width: width * scale, height: height * scale }
}
