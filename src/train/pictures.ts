import { join } from 'node:path'

import { writeFileAtomic } from '../io/atomic-write.js'
import { messageOf } from '../io/output-error.js'
import type { TrainEvent } from './events.js'

/** One kind of picture of a run. */
export interface Picture {
  /** `reconstruction`, `loss`, ...: the file's name, and the figure event's. */
  readonly name: string
  /** Drawn at the end of the run only, not on the way. */
  readonly onlyAtEnd: boolean
  /** The picture of the run as it is after `step`, as a PNG file. */
  draw(step: number): Promise<Uint8Array>
}

/**
 * Draws a run's pictures and writes them as `FOLDER/NAME.png`, always the newest, and `FOLDER/NAME-step-N.png` for those on the way. A picture
 * is never worth a run: what fails is told as a warning, each complaint once.
 */
export class PictureWriter {
  private readonly told = new Set<string>()

  constructor(
    private readonly folder: string,
    private readonly pictures: readonly Picture[],
    private readonly emit: (event: TrainEvent) => Promise<void>,
  ) {}

  async write(step: number, when: 'interval' | 'end'): Promise<void> {
    for (const picture of this.pictures) {
      if (picture.onlyAtEnd && when !== 'end') continue
      const event = await this.writeOne(picture, step, when)
      if (event) await this.emit(event)
    }
  }

  private async writeOne({ name, draw }: Picture, step: number, when: 'interval' | 'end'): Promise<TrainEvent | undefined> {
    const path = join(this.folder, `${name}.png`)
    try {
      const png = await draw(step)
      if (when === 'interval') await writeFileAtomic(join(this.folder, `${name}-step-${step}.png`), png)
      await writeFileAtomic(path, png)
      return { type: 'figure', step, name, path, png }
    } catch (error) {
      const message = `no ${name} picture: ${messageOf(error)}`
      if (this.told.has(message)) return undefined
      this.told.add(message)
      return { type: 'warning', code: 'NOTE', message }
    }
  }
}
