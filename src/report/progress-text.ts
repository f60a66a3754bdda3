import type { EndEvent, MeasureEvent, StartEvent, StepEvent, WarningEvent } from '../train/events.js'

/** The words of the progress lines: pure functions from events to text, without colours or line ends. */

/** The line before the first step. */
export function startText(event: StartEvent): string {
  const { images, device, precision, parameters, batchSize, steps, startStep, stepsPerEpoch, out, resumedFrom } = event
  const epochs = Number((steps / stepsPerEpoch).toFixed(1))
  const what = `${count(images, 'image')}, ${device} ${precision}, ${millions(parameters)} parameters`
  const began = startStep === steps ? 'all of them done before' : `going on after step ${startStep}`
  const from = startStep > 0 ? `, ${began}${resumedFrom === undefined ? '' : ` (${resumedFrom})`}` : ''
  return `training on ${what}: ${count(steps, 'step')} of ${batchSize} (${count(epochs, 'epoch')}) into ${out}${from}`
}

/**
 * What is worth knowing while it runs, most interesting first: a narrow terminal cuts it. The bar stands before it, or `stepText`.
 * @param options.lossParts also the losses that make up the loss
 */
export function rateText(event: StepEvent, options: { readonly lossParts: boolean }): string {
  const { metrics, imagesPerSecond, dataWaitShare, etaSeconds, skipped } = event
  const loss = options.lossParts ? lossText(metrics) : `loss ${short(metrics.loss ?? Number.NaN)}`
  const parts = [loss, `${Math.round(imagesPerSecond)} images/s`, `${duration(etaSeconds)} left`, `data wait ${percent(dataWaitShare)}`]
  return [...(skipped ? ['skipped: not finite'] : []), ...parts].join('  ')
}

/** `step  98/980  10 %  epoch 2.0`. */
export function stepText({ step, steps, epoch }: StepEvent): string {
  return `step ${String(step).padStart(String(steps).length)}/${steps}  ${percent(step / steps).padStart(5)}  epoch ${epoch.toFixed(1)}`
}

/** The last line. */
export function endText({ summary }: EndEvent): string {
  const { steps, seconds, imagesPerSecond, dataWaitShare, metrics, badImages, skippedSteps, checkpoint } = summary
  const parts = [
    `${count(steps, 'step')} in ${duration(seconds)}`,
    lossText(metrics),
    ...(imagesPerSecond > 0 ? [`${Math.round(imagesPerSecond)} images/s`, `data wait ${percent(dataWaitShare)}`] : []), // 0: nothing was left to do
    ...(badImages > 0 ? [`${count(badImages, 'bad image')} (see bad-images.jsonl)`] : []),
    ...(skippedSteps > 0 ? [`${count(skippedSteps, 'step')} skipped`] : []),
  ]
  return `done: ${parts.join('  ')}\n      ${checkpoint}`
}

/** `measured after step 500: psnr 21.3, perplexity 120`. */
export function measureText({ step, metrics }: MeasureEvent): string {
  const parts = Object.entries(metrics).map(([name, value]) => `${name.replaceAll('_', ' ')} ${short(value)}`)
  return `measured after step ${step}: ${parts.join(', ')}`
}

export function warningText({ code, message }: WarningEvent): string {
  return code === 'NOTE' ? `note: ${message}` : `warning ${code}: ${message}`
}

/** `loss` first, its parts in brackets. */
function lossText(metrics: Readonly<Record<string, number>>): string {
  const parts = Object.entries(metrics).flatMap(([name, value]) => (name.startsWith('loss_') ? [`${name.slice(5)} ${short(value)}`] : []))
  return `loss ${short(metrics.loss ?? Number.NaN)}${parts.length > 0 ? ` (${parts.join(', ')})` : ''}`
}

/** Three digits that matter; as wide from step to step as possible. */
function short(value: number): string {
  const size = Math.abs(value)
  if (!Number.isFinite(value) || size === 0) return String(value)
  return size >= 0.001 && size < 1000 ? value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(size)))) : value.toExponential(2)
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** `48 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.max(0, Math.round(seconds))
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${two(minutes)} min`
  if (minutes > 0) return `${minutes} min ${two(whole % 60)} s`
  return `${whole} s`
}

function millions(parameters: number): string {
  return parameters >= 999_500 ? `${(parameters / 1e6).toFixed(1)} M` : `${Math.round(parameters / 1000)} k`
}

function count(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`
}
