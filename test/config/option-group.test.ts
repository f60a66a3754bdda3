import type { Field } from '../../src/config/field.js'
import { embedGroup, encodeGroup, knnGroup, linearGroup, type OptionGroup, placeGroup, trainGroups } from '../../src/config/option-group.js'
import { trainFields } from '../../src/config/train.js'
import { methods, tokenizers } from '../../src/methods/registry.js'

const everyGroup: OptionGroup[] = [
  ...trainGroups,
  ...methods.cae.groups,
  ...tokenizers.dvae.groups,
  ...tokenizers['dvae-light'].groups.slice(1), // the first one is that of all tokenizers
  embedGroup,
  knnGroup,
  linearGroup,
  encodeGroup,
  placeGroup,
]
const options = everyGroup.flatMap(({ title, fields, docs }) =>
  Object.entries(fields).map(([name, field]) => ({
    id: `${title}: ${name}`,
    name,
    field: field as Field<unknown, unknown, unknown>,
    doc: docs[name],
  })),
)

test.each(options)('$id has a document, and a default that its own check takes', ({ field, doc }) => {
  expect(doc).toMatch(/^[A-Z].+\.$/)
  expect(field.schema.safeParse(field.default)).toEqual({ success: true, data: field.default })
  if (field.default === null) expect(field.meaning).toEqual(expect.stringMatching(/./))
})

test.each(Object.values({ ...methods, ...tokenizers }))('the groups tell every option of a run and of its model once: $name', (method) => {
  const told = [...trainGroups, ...method.groups].flatMap(({ fields }) => Object.keys(fields))
  const declared = [...Object.keys(trainFields), ...Object.keys(method.fields)]
  expect([...told].sort()).toEqual(declared.sort())
  expect(new Set(told).size).toBe(told.length) // one flag each
})
