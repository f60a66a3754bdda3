// Writes what is made from the option tables: src/config/option-docs.ts (their comments, for help at run time) and docs/options.md.
// `--check` writes neither and fails when one is out of date.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { buildLib } from './build-lib.mjs'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)
const sources = ['src/config', 'src/methods'].flatMap((folder) => readdirSync(join(root, folder)).map((file) => join(folder, file)))

/** The object literals of `export const xFields = { ... }`, by name. */
function tablesOf(path) {
  const file = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true)
  const declarations = file.statements.filter(ts.isVariableStatement).flatMap((statement) => statement.declarationList.declarations)
  const literals = declarations.map(({ name, initializer }) => {
    let table = initializer
    while (table && (ts.isAsExpression(table) || ts.isSatisfiesExpression(table))) table = table.expression
    return [name.text, table]
  })
  return literals.filter(([name, table]) => name?.endsWith('Fields') && table && ts.isObjectLiteralExpression(table))
}

const literals = new Map(sources.flatMap(tablesOf))

/** Comments by option; those of `...otherFields` and `option: otherFields.option` are the other table's. */
function commentsOf(name) {
  const comments = {}
  for (const property of literals.get(name).properties) {
    if (ts.isSpreadAssignment(property)) Object.assign(comments, commentsOf(property.expression.text))
    else if (ts.isPropertyAccessExpression(property.initializer)) {
      const { expression, name: option } = property.initializer
      comments[property.name.text] = commentsOf(expression.text)[option.text]
    } else comments[property.name.text] = ownComment(property, name)
  }
  return comments
}

function ownComment(option, table) {
  const [comment] = ts.getJSDocCommentsAndTags(option)
  const text = comment && ts.getTextOfJSDocComment(comment.comment)
  if (!text) throw new Error(`${table}: the option ${option.name.text} has no comment`)
  return text.replace(/\s+/g, ' ')
}

/** Tables with options of their own; the others only put such tables together. */
const tables = Object.fromEntries(
  [...literals].filter(([, literal]) => literal.properties.some(ts.isPropertyAssignment)).map(([name]) => [name, commentsOf(name)]),
)

function docsModule() {
  const head = '// Written by `npm run gen:options` from the comments of the option tables: do not edit.\n'
  const code = `${head}export const optionDocs = ${JSON.stringify(tables, null, 2)} as const\n`
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
  return execFileSync(process.execPath, [biome, 'format', '--stdin-file-path=src/config/option-docs.ts'], {
    input: code,
    cwd: root,
  }).toString()
}

const evaluationText =
  '`evaluate`, `embed` and `cae-torch eval knn`, `eval linear`, `embed`. All of them take the options under *Images*; those under *Machine* go to `Encoder.load`.'

const importText =
  '`Encoder.load`, `importWeights`, `inspect` and `cae-torch import`, `inspect`, `embed`, `eval`, for weights that others have trained.'

/** docs/options.md, from lib/. */
function manual() {
  const groups = require(join(root, 'lib/config/option-group.js'))
  const { methods, tokenizers } = require(join(root, 'lib/methods/registry.js'))
  const { recipes } = require(join(root, 'lib/config/recipes.js'))
  const part = (title, intro, groups) => [`## ${title}`, intro, ...groups.map(groupTable)].join('\n\n')
  const models = Object.values(methods).map((m) => part(`Model: \`${m.name}\``, modelText(m), m.groups))
  const networks = Object.values(tokenizers)
  const tokenizerGroups = new Map(networks.flatMap(({ groups }) => groups.map((group) => [group.title, group]))).values()
  return `${[
    '# Options\n\nWritten by `npm run gen:options` from the option tables in `src/config` and `src/methods`: do not edit.',
    'Every option has one name in TypeScript and in configuration files, and the same in kebab case as a flag: `batchSize`, `--batch-size`. A preset is weakest, then\ncome recipe, configuration file and your own options.',
    part(
      'Training',
      '`train`, `trainCAE` and `cae-torch pretrain`; beside these `data`, `out`, `method`, `model` and, in TypeScript, `signal`.',
      groups.trainGroups,
    ),
    ...models,
    part('Tokenizers', `${tokenizerText}\n\n${networks.map(presetTable).join('\n\n')}`, [...tokenizerGroups]),
    `## Recipes\n\n${recipeTable(recipes)}`,
    part('Evaluation', evaluationText, [
      groups.knnGroup,
      groups.linearGroup,
      groups.embedGroup,
      groups.encodeGroup,
      groups.pictureGroup,
      groups.placeGroup,
    ]),
    part('Weights of others', importText, [groups.importGroup]),
  ].join('\n\n')}\n`
}

function groupTable({ title, fields, docs }) {
  const rows = Object.entries(fields).map(([name, f]) => `| \`${name}\` | ${cell(f.expects)} | ${defaultText(f)} | ${cell(docs[name])} |`)
  return [`### ${title}`, '', '| name | value | default | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function defaultText(field) {
  const value = Array.isArray(field.default) ? field.default.map(number).join(field.kind === 'size' ? ' x ' : ', ') : number(field.default)
  if (field.default === null) return cell(field.meaning)
  return field.meaning && typeof field.default === 'string' ? `${value}: ${cell(field.meaning)}` : value
}

const number = (value) => (typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value))
const cell = (text) => text.replaceAll('|', '\\|')
const setText = (values) =>
  Object.entries(values)
    .map(([name, value]) => `\`${name}\` ${number(value)}`)
    .join(', ')

const tokenizerText =
  '`trainTokenizer` and `cae-torch tokenizer train`; beside these the options under *Training*, without `recipe`. The preset says which network it is, and how it is trained\nunless you say otherwise.'

function presetTable({ presets, trainDefaults }) {
  const rows = Object.entries(presets).map(
    ([name, values]) => `| \`${name}\` | ${setText(values)} | ${setText(trainDefaults?.(name) ?? {})} |`,
  )
  return ['| preset | sets | trains with |', '| --- | --- | --- |', ...rows].join('\n')
}

function modelText({ presets, defaultPreset }) {
  const rows = Object.entries(presets).map(([name, values]) => `| \`${name}\` | ${setText(values)} |`)
  const intro = `\`model\` is a preset's name or an object: \`{ preset: '${defaultPreset}', imageSize: 96 }\`. As flags: \`--model ${defaultPreset} --image-size 96\`.`
  return [intro, '', '| preset | sets |', '| --- | --- |', ...rows].join('\n')
}

function recipeTable(recipes) {
  const rows = Object.entries(recipes).map(([name, r]) => `| \`${name}\` | \`${r.preset}\` | ${setText(r.model)} | ${setText(r.train)} |`)
  return ['| recipe | model, unless you name one | model options | training options |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** Puts `content` where it belongs, or complains that it is not there yet. */
function settle(path, content) {
  const target = join(root, path)
  if (existsSync(target) && readFileSync(target, 'utf8') === content) return
  if (process.argv.includes('--check')) {
    console.error(`${path} is out of date: npm run gen:options`)
    process.exitCode = 1
    return
  }
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, content)
  console.log(`wrote ${path}`)
}

settle('src/config/option-docs.ts', docsModule())
buildLib()
settle('docs/options.md', manual())
