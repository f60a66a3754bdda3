import { CaeError } from '../errors.js'
import { openInput, readAt } from './input-file.js'

/** What a file of tensors can be by its first bytes, whatever its name. */
export type FileKind = 'safetensors' | 'zip' | 'pickle' | 'json'

const headBytes = 1024

/** What lies where weights should be: how it is recognised, what it is, and what helps. */
const impostors: readonly { readonly is: RegExp; readonly what: string; readonly todo: string }[] = [
  {
    is: /^\s*(<!doctype html|<html|<head)|<html[\s>]/i,
    what: 'an HTML page, not weights: links to a page about a file (of GitHub, Google Drive, Dropbox, a sign-in) give this instead of the file',
    todo: 'download it by its direct link ("raw", "download", "resolve")',
  },
  {
    is: /^\s*<(\?xml|error>)/i,
    what: "a server's XML answer, not weights: so a store answers when access is denied or the file is gone",
    todo: 'check the link, then download it again',
  },
  {
    is: /^version https:\/\/git-lfs/,
    what: 'a Git LFS pointer, not the weights it points at',
    todo: '`git lfs pull` in the repository it came from, or download the file itself',
  },
  {
    is: /% Total\s+% Received|^--\d{4}-\d\d-\d\d|^Resolving .*\.\.\.|HTTP request sent/m,
    what: 'the log of a download (curl or wget), not what was downloaded: the output of the wrong stream was saved',
    todo: 'download it with `curl -L -o FILE URL` or `wget -O FILE URL`',
  },
]

/**
 * Says what a file is by its content.
 * @throws {CaeError} ERR_CAE_CHECKPOINT when there is no such file, or it is nothing that holds tensors, saying what it is instead
 */
export async function fileKind(path: string): Promise<FileKind> {
  const head = await openInput(path, async (file) => {
    const bytes = await readAt(file, 0, headBytes)
    await file.close()
    return bytes
  })
  if (head.length === 0) throw notWeights(path, 'empty', 'download or copy it again')
  // A header's length, which needs four of its eight bytes, then JSON. First: the length may begin as a pickle does.
  if (head.length > 8 && head.readUInt32LE(4) === 0 && head[8] === 0x7b) return 'safetensors'
  if (head.readUInt8() === 0x80) return 'pickle' // the opcode PROTO
  if (['PK\x03\x04', 'PK\x05\x06'].includes(head.toString('latin1', 0, 4))) return 'zip'
  if (head.toString('latin1', 257, 262) === 'ustar') {
    throw notWeights(path, 'a tar archive: either an archive around weights, or the format of PyTorch before 0.1.10', 'unpack it first')
  }
  if (head.toString('latin1', 0, 2) === '\x1f\x8b') throw notWeights(path, 'compressed by gzip', 'gunzip it first')
  if (isText(head)) return textKind(path, head.toString('utf8'))
  if (head[8] === 0x7b || path.endsWith('.safetensors')) return 'safetensors' // one that is damaged
  throw notWeights(path, 'neither a safetensors file nor one of torch.save', 'a .safetensors, .pth, .pt, .bin or .pkl file of weights')
}

function textKind(path: string, text: string): FileKind {
  const found = impostors.find(({ is }) => is.test(text))
  if (found) throw notWeights(path, found.what, found.todo)
  if (/^\s*\{/.test(text)) return 'json'
  throw notWeights(path, 'text, not weights', 'check where it came from')
}

/** No byte that text has no use for. */
function isText(bytes: Buffer): boolean {
  return bytes.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0x1b)
}

/** The error for a file that is something else; `what` goes on "it is ...". */
export function notWeights(path: string, what: string, todo: string): CaeError {
  return new CaeError('ERR_CAE_CHECKPOINT', { what: `not a file of weights: it is ${what}`, where: path, todo })
}
