/** What one batch says about a codebook. */
export interface CodebookPart {
  /** Of all places of all images. */
  readonly ids: ArrayLike<number>
  /** Mean probability of each code. */
  readonly usage: ArrayLike<number>
  /** One number an image: KL divergence in nats a place, the objective's comparison, squared error of the pixels. */
  readonly kl: ArrayLike<number>
  readonly fit: ArrayLike<number>
  readonly pixelMse: ArrayLike<number>
}

/**
 * Numbers about a codebook over several batches (spec/baselines.md 2.6).
 * @param fitName what the objective's comparison is called: `nll_bits`
 * @returns `psnr` in dB, from the squared error of all images together; `perplexity`, exp(entropy) of the ids' shares; `soft_perplexity`, the same of
 *   the codes' mean probabilities; `used_codes`, how many codes occur; `kl` and the comparison as means over images
 */
export function codebookFacts(parts: readonly CodebookPart[], fitName: string): Record<string, number> {
  const images = parts.map(({ kl }) => kl.length)
  const total = images.reduce((sum, count) => sum + count, 0)
  const meanOf = (name: 'kl' | 'fit' | 'pixelMse') => parts.reduce((sum, part) => sum + sumOf(part[name]), 0) / total
  const codes = parts[0]?.usage.length ?? 0
  const usage = Array.from({ length: codes }, (_, code) =>
    parts.reduce((sum, part, at) => sum + ((part.usage[code] ?? 0) * (images[at] ?? 0)) / total, 0),
  )
  const counts = new Array<number>(codes).fill(0)
  for (const { ids } of parts) for (let at = 0; at < ids.length; at++) counts[ids[at] ?? 0] = (counts[ids[at] ?? 0] ?? 0) + 1
  const places = sumOf(counts)
  return {
    psnr: 10 * Math.log10(1 / meanOf('pixelMse')),
    perplexity: perplexity(counts.map((count) => count / places)),
    soft_perplexity: perplexity(usage),
    used_codes: counts.filter((count) => count > 0).length,
    [fitName]: meanOf('fit'),
    kl: meanOf('kl'),
  }
}

/** exp(entropy) of shares that sum to 1: of n equal ones it is n. */
function perplexity(shares: readonly number[]): number {
  return Math.exp(-shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0))
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let at = 0; at < values.length; at++) sum += values[at] ?? 0
  return sum
}
