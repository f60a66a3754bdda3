import type { MaskConfig } from '../config/model.js'

/** Aspect ratios of blocks lie between this and its inverse (spec/cae.md 4.1). */
const smallestAspect = 0.3

/** Refuses block masks that could never be drawn to the end: no block of the least area would fit strictly inside the grid. */
export function checkBlockMask(
  mask: MaskConfig & { readonly gridHeight: number; readonly gridWidth: number },
  refuse: (name: 'maskMinBlock' | 'maskShape', complaint: string, todo: string) => never,
): void {
  const { gridHeight, gridWidth, maskCount } = mask
  if (gridHeight < 2 || gridWidth < 2) {
    refuse('maskShape', `wants at least 2 rows and 2 columns of patches, the grid has ${gridHeight}x${gridWidth}`, "maskShape: 'random'")
  }
  const mostPerBlock = mask.maskMaxBlock === 0 ? maskCount : Math.min(mask.maskMaxBlock, maskCount)
  const leastArea = Math.min(mask.maskMinBlock, mostPerBlock)
  const room = largestBlockArea(gridHeight, gridWidth)
  if (leastArea > room) {
    const todo = `maskMinBlock: ${Math.max(1, Math.floor(room))}, or maskShape: 'random'`
    refuse('maskMinBlock', `is more than a block can have on a grid of ${gridHeight}x${gridWidth} patches`, todo)
  }
}

/** Largest area that may be drawn for a block: sides are rounded, and must stay below the grid's. */
function largestBlockArea(rows: number, columns: number): number {
  const [height, width] = [rows - 0.5, columns - 0.5]
  const aspect = Math.min(Math.max(height / width, smallestAspect), 1 / smallestAspect)
  return Math.min(height ** 2 / aspect, width ** 2 * aspect)
}
