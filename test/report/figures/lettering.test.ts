import { svgText, textWidth, wrapText } from '../../../src/report/figures/lettering.js'

test('width grows with the text and with the size', () => {
  expect(textWidth('', 20)).toBe(0)
  expect(textWidth('n', 20)).toBeCloseTo(8)
  expect(textWidth('nn', 40)).toBeCloseTo(2 * (2 * 8 + 3.1))
})

test('lines break at spaces and never exceed the width, but for a long word', () => {
  const lines = wrapText('one two three averyveryverylongword four', 20, textWidth('one two', 20))
  expect(lines).toEqual(['one two', 'three', 'averyveryverylongword', 'four'])
})

test('text is drawn without fonts', () => {
  const svg = svgText('loss 1e-3', { x: 10, y: 20, size: 16, color: '#000000', anchor: 'middle', vertical: true })
  expect(svg).not.toContain('<text')
  expect(svg.match(/<path/g)).toHaveLength(8)
})

test('a letter that is not in the table is a box, not a hole', () => {
  expect(svgText('\u00fc', { x: 0, y: 0, size: 20, color: '#000000' })).toContain('M0 0H7V14H0Z')
})

test('every printable character of names, numbers and units is in the table', () => {
  const needed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-+=%/()_'"
  for (const char of needed) expect(svgText(char, { x: 0, y: 0, size: 20, color: '#000000' })).not.toContain('M0 0H7V14H0Z')
})
