import { type CodebookPart, codebookFacts } from '../../src/api/codebook-facts.js'

const part = (change: Partial<CodebookPart> = {}): CodebookPart => ({
  ids: [0, 1, 1, 3],
  usage: [0.25, 0.25, 0.25, 0.25],
  kl: [1],
  fit: [0.5],
  pixelMse: [0.01],
  ...change,
})

test('counts codes and weighs batches by their images', () => {
  const facts = codebookFacts(
    [part(), part({ ids: [2, 2, 3, 3, 0, 0, 1, 1], kl: [4, 4], fit: [2, 2], pixelMse: [0.04, 0.04] })],
    'nll_bits',
  )
  expect(facts).toEqual({
    psnr: expect.closeTo(10 * Math.log10(1 / 0.03), 10),
    perplexity: expect.closeTo(Math.exp(-[3, 4, 2, 3].reduce((sum, n) => sum + (n / 12) * Math.log(n / 12), 0)), 10),
    soft_perplexity: expect.closeTo(4, 10),
    used_codes: 4,
    nll_bits: expect.closeTo(1.5, 10),
    kl: expect.closeTo(3, 10),
  })
})

test('one code for everything has perplexity 1', () => {
  expect(codebookFacts([part({ ids: [2, 2, 2], usage: [0, 0, 1, 0] })], 'fit')).toMatchObject({
    perplexity: 1,
    soft_perplexity: 1,
    used_codes: 1,
  })
})
