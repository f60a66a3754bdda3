import { dataFields } from './data.js'
import { embedFields, encodeFields, knnFields, linearFields, placeFields } from './eval.js'
import type { Fields } from './field.js'
import { importFields } from './import.js'
import { encoderFields, maskFields } from './model.js'
import { optionDocs } from './option-docs.js'
import { pictureFields } from './picture.js'
import { optimizerFields, outputFields, runFields } from './train.js'

/** Options that help and docs tell under one title. */
export interface OptionGroup {
  readonly title: string
  readonly fields: Fields
  /** One sentence or two about every option, by its name. */
  readonly docs: Readonly<Record<string, string>>
}

function group<F extends Fields>(title: string, fields: F, docs: { readonly [K in keyof F & string]: string }): OptionGroup {
  return { title, fields, docs }
}

function without(fields: Fields, others: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !Object.hasOwn(others, name)))
}

export const encoderGroup = group('Encoder', encoderFields, optionDocs.encoderFields)
export const maskGroup = group('Masks', maskFields, optionDocs.maskFields)

/** All of a run but its model. */
export const trainGroups: readonly OptionGroup[] = [
  group('Run', runFields, optionDocs.runFields),
  group('Optimizer', optimizerFields, optionDocs.optimizerFields),
  group('Start and files', outputFields, optionDocs.outputFields),
  group('Data', dataFields, optionDocs.dataFields),
]

/** The same for tokenizers, which have no recipes. */
export const tokenizerTrainGroups: readonly OptionGroup[] = trainGroups.map((g) => ({
  ...g,
  fields: without(g.fields, { recipe: runFields.recipe }),
}))

export const embedGroup = group('Embedding', without(embedFields, encodeFields), optionDocs.embedFields)
export const knnGroup = group('Nearest neighbours', without(knnFields, encodeFields), optionDocs.knnFields)
export const linearGroup = group('Linear probe', without(linearFields, encodeFields), optionDocs.linearFields)
export const encodeGroup = group('Images', encodeFields, optionDocs.encodeFields)
export const pictureGroup = group('Picture', pictureFields, optionDocs.pictureFields)
export const importGroup = group('Foreign weights', importFields, optionDocs.importFields)
export const placeGroup = group('Machine', placeFields, optionDocs.placeFields)
