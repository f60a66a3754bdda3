import { CaeError } from '../../errors.js'
import { renderPng } from '../png.js'
import { type Axis, linearAxis, logAxis } from './axis.js'
import { svgText, textWidth } from './lettering.js'
import { type Point, rollingMean, type Stretch, stretchesOf } from './stretches.js'

/** A line of `metrics.jsonl`, as far as the picture reads it. */
export interface MetricsPoint {
  readonly step: number
  readonly metrics: Readonly<Record<string, number>>
}

/** Okabe and Ito's colours, told apart by colour-blind readers too, darkest first. */
const colors = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'] as const
const size = { width: 960, height: 540 } as const
const plot = { left: 96, top: 64, right: 40, bottom: 68 } as const
const plotWidth = size.width - plot.left - plot.right
const plotHeight = size.height - plot.top - plot.bottom
const ink = '#1a1a1a'
const greyInk = '#555555'

interface Series {
  readonly name: string
  readonly color: string
  readonly raw: readonly Stretch[]
  readonly smooth: readonly Point[]
}

/**
 * The losses of a run over its steps, as a PNG file: each part of the loss (`loss_main`, `loss_align`; `loss` where it has no parts) as
 * measured, in a pale line, and as a rolling mean over a fiftieth of the run.
 * @param points in the order of their steps
 * @param options.scale of the loss; `auto` is logarithmic when the values span more than a factor of 20
 */
export async function lossCurveFigure(
  points: readonly MetricsPoint[],
  options: { readonly title?: string; readonly scale?: 'auto' | 'linear' | 'log' } = {},
): Promise<Uint8Array> {
  const { title = 'training loss', scale = 'auto' } = options
  const series = seriesOf(points)
  const x = linearAxis(points[0]?.step ?? 0, points.at(-1)?.step ?? 0, 8)
  const y = lossAxis(series, scale)
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}">`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    svgText(title, { x: plot.left, y: 34, size: 20, color: ink }),
    ...gridLines(x, y),
    svgText('optimizer step', { x: plot.left + plotWidth / 2, y: size.height - 18, size: 15, anchor: 'middle', color: greyInk }),
    svgText('loss', { x: 24, y: plot.top + plotHeight / 2, size: 15, anchor: 'middle', color: greyInk, vertical: true }),
    ...series.map(({ raw, color }) => polyline(raw.flatMap(lowAndHigh), x, y, `stroke="${color}" stroke-opacity="0.25" stroke-width="1"`)),
    ...series.map(({ smooth, color }) => polyline(smooth, x, y, `stroke="${color}" stroke-width="2.5"`)),
    ...legend(series),
    '</svg>',
  ]
  return renderPng(svg.join(''))
}

function seriesOf(points: readonly MetricsPoint[]): Series[] {
  const isPart = (name: string): boolean => name.startsWith('loss_')
  const typical = points.find(({ metrics }) => Object.keys(metrics).some(isPart)) // a skipped step may lack them
  const parts = Object.keys(typical?.metrics ?? {}).filter(isPart)
  const series = (parts.length > 0 ? parts : ['loss']).map((name, at) => {
    const values = points.map(({ step, metrics }) => ({ step, value: metrics[name] ?? Number.NaN }))
    const raw = stretchesOf(values, plotWidth)
    return { name, color: colors[at % colors.length] ?? colors[0], raw, smooth: rollingMean(raw, Math.round(raw.length / 50)) }
  })
  if (series.every(({ smooth }) => smooth.length === 0)) {
    throw new CaeError('ERR_CAE_INTERNAL', { what: 'a loss curve needs at least one step with a finite loss' })
  }
  return series
}

/** From the values as measured, without the highest and lowest hundredth: one wild step must not flatten the curve. */
function lossAxis(series: readonly Series[], scale: 'auto' | 'linear' | 'log'): Axis {
  const smooth = series.flatMap((one) => one.smooth.map(({ value }) => value))
  const inner = series.flatMap(({ raw }) => {
    const sorted = raw.flatMap(({ low, high }) => [low, high]).sort((a, b) => a - b)
    return [sorted[Math.floor(sorted.length * 0.01)] ?? 0, sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0]
  })
  const [low, high] = extent([...smooth, ...inner])
  const positive = low > 0
  if (positive && (scale === 'log' || (scale === 'auto' && high / low > 20))) return logAxis(low / 1.15, high * 1.15)
  const bottom = positive ? 0 : low
  return linearAxis(bottom, high + (high - bottom) * 0.05 || 1, 6)
}

function gridLines(x: Axis, y: Axis): string[] {
  const bottom = plot.top + plotHeight
  const lines = y.ticks.flatMap(({ value, label }) => {
    const at = toY(y, value)
    return [
      `<path d="M${plot.left} ${at}H${plot.left + plotWidth}" stroke="#e4e4e4"/>`,
      svgText(label, { x: plot.left - 10, y: at + 5, size: 14, anchor: 'end', color: greyInk }),
    ]
  })
  const marks = x.ticks.flatMap(({ value, label }) => {
    const at = toX(x, value)
    return [
      `<path d="M${at} ${bottom}v6" stroke="#888888"/>`,
      svgText(label, { x: at, y: bottom + 22, size: 14, anchor: 'middle', color: greyInk }),
    ]
  })
  return [...lines, ...marks, `<path d="M${plot.left} ${bottom}h${plotWidth}" stroke="#888888"/>`]
}

/** One line above the plot, on the right: a stroke in the colour of each curve and its name. */
function legend(series: readonly Series[]): string[] {
  let right = size.width - plot.right
  return [...series].reverse().flatMap(({ name, color }) => {
    const left = right - textWidth(name, 15) - 34
    const parts = [
      `<path d="M${left} ${plot.top - 35}h26" stroke="${color}" stroke-width="3" stroke-linecap="round"/>`,
      svgText(name, { x: left + 34, y: plot.top - 30, size: 15, color: ink }),
    ]
    right = left - 24
    return parts
  })
}

/** A stretch of many points as a stroke from its lowest to its highest. */
function lowAndHigh({ step, low, high }: Stretch): Point[] {
  return low === high
    ? [{ step, value: low }]
    : [
        { step, value: low },
        { step, value: high },
      ]
}

function polyline(points: readonly Point[], x: Axis, y: Axis, stroke: string): string {
  const path = points.map(({ step, value }, at) => `${at === 0 ? 'M' : 'L'}${toX(x, step)} ${toY(y, value)}`).join('')
  return `<path d="${path}" fill="none" stroke-linejoin="round" ${stroke}/>`
}

function toX(axis: Axis, step: number): number {
  return Math.round((plot.left + axis.place(step) * plotWidth) * 10) / 10
}

/** Values outside the axis stay at its ends: they are there, but not to scale. */
function toY(axis: Axis, value: number): number {
  const share = axis.place(value)
  return Math.round((plot.top + (1 - Math.min(1, Math.max(0, Number.isNaN(share) ? 0 : share))) * plotHeight) * 10) / 10
}

/** `Math.min(...values)` overflows the stack on a long run. */
function extent(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return [low, high]
}
