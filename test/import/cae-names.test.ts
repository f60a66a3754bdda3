import { readFileSync } from 'node:fs'

import { caeNamingOf, fromCaeNaming, toCaeNaming } from '../../src/import/cae-names.js'
import { sharedFile } from '../support/shared-data.js'

const path = sharedFile('golden/cae_names.json')
const tensors: readonly [a: string, shape: number[], trainable: boolean, b: string][] = path
  ? JSON.parse(readFileSync(path, 'utf8')).tensors
  : []

test('the two namings of the authors translate into each other, tensor by tensor', () => {
  const toB = toCaeNaming('B')
  const fromB = fromCaeNaming('B')
  expect(tensors.map(([a]) => toB(a))).toEqual(tensors.map(([, , , b]) => b))
  expect(tensors.map(([, , , b]) => fromB(b))).toEqual(tensors.map(([a]) => a))
  expect(tensors.map(([a]) => fromCaeNaming('A')(a))).toEqual(tensors.map(([a]) => a))
})

test("so do mmpretrain's names, and no two fall together", () => {
  const names = tensors.map(([a]) => toCaeNaming('mmpretrain')(a))
  expect(names.map((name) => fromCaeNaming('mmpretrain')(name ?? ''))).toEqual(tensors.map(([a]) => a))
  expect(new Set(names).size).toBe(tensors.length)
})

test('a projection between encoder and regressor has a name in A and B', () => {
  for (const name of ['encoder_to_decoder.weight', 'encoder_to_decoder_norm.bias']) {
    expect(fromCaeNaming('B')(toCaeNaming('B')(name) ?? '')).toBe(name)
  }
})

test('copies of the encoder and computed tables are derived, everything else is not known', () => {
  for (const name of ['teacher.blocks.0.norm1.weight', 'alignment_encoder.cls_token', 'rd_pos_embed'])
    expect(fromCaeNaming('B')(name)).toBeNull()
  expect(fromCaeNaming('A')('encoder.stranger')).toBeUndefined()
})

test('a naming is told by what it alone has', () => {
  const names = tensors.map(([a]) => a)
  if (names.length === 0) return
  expect(caeNamingOf(names)).toBe('A')
  expect(caeNamingOf(names.map((name) => toCaeNaming('B')(name) ?? ''))).toBe('B')
  expect(caeNamingOf(names.map((name) => toCaeNaming('mmpretrain')(name) ?? ''))).toBe('mmpretrain')
  expect(caeNamingOf(names.filter((name) => name.startsWith('encoder.')))).toBeUndefined()
})
