// Checks the layout of native/ and test/native against .clang-format; with --write puts it right.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format } from '@wasm-fmt/clang-format'

const root = join(import.meta.dirname, '..')
const style = readFileSync(join(root, '.clang-format'), 'utf8')
const files = ['native', 'test/native'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((file) => /\.(h|cpp)$/.test(file))
    .map((file) => join(folder, file)),
)

const isWriting = process.argv.includes('--write')
const wrong = []
for (const file of files) {
  const path = join(root, file)
  const before = readFileSync(path, 'utf8')
  const after = format(before, file, style)
  if (after === before) continue
  wrong.push(file)
  if (isWriting) writeFileSync(path, after)
}

if (isWriting) console.log(`${wrong.length} of ${files.length} C++ files formatted`)
else if (wrong.length > 0) {
  console.error(`not as .clang-format wants it (npm run format):\n${wrong.map((file) => `  ${file}`).join('\n')}`)
  process.exitCode = 1
}
