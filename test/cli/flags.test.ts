import { Command } from 'commander'
import { addFlags, flagName, givenFlags } from '../../src/cli/flags.js'
import type { Field } from '../../src/config/field.js'
import { encodeGroup, knnGroup, linearGroup, pictureGroup, placeGroup, trainGroups } from '../../src/config/option-group.js'
import { cae } from '../../src/methods/cae.js'

const pretrainGroups = [...trainGroups, ...cae.groups]

function parse(args: readonly string[], groups = pretrainGroups): Record<string, unknown> {
  const command = new Command('test').exitOverride()
  addFlags(command, groups)
  command.parse(args, { from: 'user' })
  return givenFlags(command, groups)
}

test.each([
  ['--batch-size 128', { batchSize: 128 }],
  ['--lr 1e-3', { lr: 1e-3 }],
  ['--lr auto', { lr: 'auto' }],
  ['--seed -0', { seed: -0 }],
  ['--image-size 96', { imageSize: 96 }],
  ['--image-size 96x128', { imageSize: [96, 128] }],
  ['--mean 0.5,0.5,0.5', { mean: [0.5, 0.5, 0.5] }],
  ['--cache 2G', { cache: 2 * 2 ** 30 }],
  ['--cache off', { cache: 'off' }],
  ['--prefetch-bytes 1.5MiB', { prefetchBytes: 1.5 * 2 ** 20 }],
  ['--mask-count none', { maskCount: null }],
  ['--recipe none', { recipe: null }],
  ['--no-exif', { exif: false }],
  ['--exif', { exif: true }],
  ['--deterministic', { deterministic: true }],
  ['--no-deterministic', { deterministic: false }],
  ['--device cuda:1', { device: 'cuda:1' }],
  ['', {}],
])('%s', (line, expected) => {
  expect(parse(line.split(' ').filter(Boolean))).toEqual(expected)
})

const groups = [pretrainGroups, [knnGroup, encodeGroup, placeGroup], [linearGroup, encodeGroup, placeGroup], [pictureGroup, placeGroup]]
const options = groups.flatMap((set) =>
  set.flatMap(({ fields }) =>
    Object.entries(fields).map(([name, field]) => ({ name, set, field: field as Field<unknown, unknown, unknown> })),
  ),
)

test.each(options)('the default of $name can be written as a flag', ({ name, set, field }) => {
  const flag = flagName(name)
  const { default: value } = field
  const words = typeof value === 'boolean' ? [value ? flag : flag.replace('--', '--no-')] : [flag, wordOf(value)]
  expect(parse(words, set)).toEqual({ [name]: Array.isArray(value) ? [...value] : value })
})

function wordOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(value.length === 2 ? 'x' : ',')
  return value === null ? 'none' : String(value)
}
