import { PassThrough } from 'node:stream'

import { terminalProgress } from '../../src/report/progress.js'
import { duration } from '../../src/report/progress-text.js'
import { endEvent, startEvent, stepEvent } from './run-events.js'

/** Escape characters are shown as `^`. */
function sink(): { stream: PassThrough; text(): string; lines(): string[] } {
  const stream = new PassThrough()
  const text = (): string => String(stream.read() ?? '').replaceAll('\x1b', '^')
  return { stream, text, lines: () => text().trimEnd().split('\n') }
}

/** What a terminal is to a program: a stream with a width and colours. */
function terminal(colors = true): ReturnType<typeof sink> {
  const { stream, ...rest } = sink()
  return { stream: Object.assign(stream, { isTTY: true, columns: 120, hasColors: () => colors }), ...rest }
}

describe('on a stream that is no terminal', () => {
  test('a line at the start, at every tenth and at the end, without control characters', () => {
    const { stream, text } = sink()
    const progress = terminalProgress({ stream, now: () => 0 })
    progress.onEvent(startEvent())
    for (let step = 1; step <= 100; step++) progress.onEvent(stepEvent(step))
    progress.onEvent(endEvent({ badImages: 1, skippedSteps: 2 }))
    progress.close()
    const output = text()
    expect(output).not.toMatch(/[\^\r]/)
    const lines = output.trimEnd().split('\n')
    expect(lines).toHaveLength(13)
    expect(lines[0]).toBe('training on 640 images, cpu fp32, 1.2 M parameters: 100 steps of 64 (10 epochs) into runs/a')
    expect(lines[1]).toBe(
      'step  10/100   10 %  epoch 1.0  loss 0.100 (main 0.0750, align 0.0250)  250 images/s  1 min 30 s left  data wait 13 %',
    )
    expect(lines[11]).toBe(
      'done: 100 steps in 26 s  loss 0.0100 (main 0.00750, align 0.00250)  250 images/s  data wait 1 %  1 bad image (see bad-images.jsonl)  2 steps skipped',
    )
    expect(lines[12]).toBe('      runs/a/checkpoints/step-100')
  })

  test('a slow run gives a line at least every so often', () => {
    const { stream, lines } = sink()
    let time = 0
    const progress = terminalProgress({ stream, everyMs: 5000, now: () => time })
    progress.onEvent(startEvent({ steps: 1000 }))
    for (let step = 1; step <= 12; step++) {
      time += 1000
      progress.onEvent(stepEvent(step, { steps: 1000 }))
    }
    expect(lines().map((line) => line.slice(0, 14))).toEqual(['training on 64', 'step    5/1000', 'step   10/1000'])
  })

  test('a resumed run says where it goes on', () => {
    const { stream, text } = sink()
    terminalProgress({ stream }).onEvent(startEvent({ startStep: 40, resumedFrom: 'runs/a/checkpoints/step-40' }))
    expect(text()).toContain('going on after step 40 (runs/a/checkpoints/step-40)')
  })

  test('warnings, notes and pictures have lines of their own', () => {
    const { stream, lines } = sink()
    const progress = terminalProgress({ stream })
    progress.onEvent({ type: 'warning', code: 'ERR_CAE_BAD_IMAGE', message: 'a.jpg is left out' })
    progress.onEvent({ type: 'warning', code: 'NOTE', message: 'bf16 is faster here' })
    progress.onEvent({ type: 'figure', step: 1, name: 'loss', path: 'images/loss.png', png: new Uint8Array() })
    expect(lines()).toEqual(['warning ERR_CAE_BAD_IMAGE: a.jpg is left out', 'note: bf16 is faster here', 'picture: images/loss.png'])
  })

  test('a skipped step is told apart', () => {
    const { stream, lines } = sink()
    const progress = terminalProgress({ stream, everyMs: 0 })
    progress.onEvent(stepEvent(1, { skipped: true, metrics: { loss: Number.NaN } }))
    expect(lines()[0]).toContain('skipped: not finite  loss NaN')
  })
})

describe('on a terminal', () => {
  test('a bar moves, and other lines end up above it', () => {
    const { stream, text } = terminal()
    const progress = terminalProgress({ stream })
    progress.onEvent(startEvent())
    expect(text()).toMatch(/^training on .*\n.*\u2591{16} 0 % {2}0\/100/s)
    progress.onEvent(stepEvent(50))
    progress.onEvent({ type: 'warning', code: 'ERR_CAE_BAD_IMAGE', message: 'a.jpg is left out' })
    const output = text()
    expect(output).toMatch(
      /\^\[33mwarning ERR_CAE_BAD_IMAGE: a.jpg is left out\^\[0m\n.*\u2588{8}\u2591{8} 50 % {2}50\/100 {2}loss 0.0200/s,
    )
    progress.onEvent(endEvent())
    progress.close()
    expect(text()).toMatch(/\^\[\?25h.*done: 100 steps in 26 s/s) // the cursor is shown again
  })

  test('no colours where none are wanted', () => {
    const { stream, text } = terminal(false)
    terminalProgress({ stream }).onEvent({ type: 'warning', code: 'NOTE', message: 'x' })
    expect(text()).toBe('note: x\n')
  })

  test('closing in the middle, as after an error, leaves the terminal as it was', () => {
    const { stream, text } = terminal()
    const progress = terminalProgress({ stream })
    progress.onEvent(startEvent())
    progress.onEvent(stepEvent(3))
    progress.close()
    progress.close()
    expect(text()).toMatch(/\^\[\?25h\^\[\?7h/) // cursor and line wrap
  })
})

test.each([
  [0, '0 s'],
  [59.4, '59 s'],
  [59.6, '1 min 00 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 05 min'],
  [3 * 86400 + 4 * 3600, '3 d 4 h'],
  [Number.POSITIVE_INFINITY, '?'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text)
})

test('a run that was finished before says so, without rates of nothing', () => {
  const { stream, text } = sink()
  const progress = terminalProgress({ stream })
  progress.onEvent(startEvent({ startStep: 100, resumedFrom: 'runs/a/checkpoints/step-100' }))
  progress.onEvent(endEvent({ imagesPerSecond: 0, dataWaitShare: 0 }))
  expect(text()).toMatch(
    /all of them done before \(runs\/a\/checkpoints\/step-100\)\ndone: 100 steps in 26 s {2}loss 0\.0100 \(main 0\.00750, align 0\.00250\)\n/,
  )
})
