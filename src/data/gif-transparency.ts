/** Bytes of a colour table, by the flags that announce it. */
function tableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0
}

/**
 * Colour that the palette of a GIF's first frame stores for its transparent pixels: what "alpha dropped" means for them, as in the reference
 * loaders (the decoder itself gives black).
 * @returns undefined where the frame has no transparent index or the file ends early
 */
export function gifTransparentColor(bytes: Uint8Array): readonly [number, number, number] | undefined {
  const globalTable = 13
  let palette = globalTable
  let transparent: number | undefined
  let at = globalTable + tableBytes(bytes[10] ?? 0)
  while (at < bytes.length) {
    const kind = bytes[at]
    if (kind === 0x2c) {
      const flags = bytes[at + 9] ?? 0
      if (flags & 0x80) palette = at + 10
      const entry = palette + 3 * (transparent ?? 0)
      const [red, green, blue] = bytes.subarray(entry, entry + 3)
      if (transparent === undefined || red === undefined || green === undefined || blue === undefined) return undefined
      return [red, green, blue]
    }
    if (kind !== 0x21) return undefined
    // Graphic control extension: F9, 4, flags, delay, delay, index.
    if (bytes[at + 1] === 0xf9 && (bytes[at + 3] ?? 0) & 1) transparent = bytes[at + 6]
    at += 2
    for (let block = bytes[at] ?? 0; block > 0 && at < bytes.length; block = bytes[at] ?? 0) at += 1 + block
    at++
  }
  return undefined
}
