import { execFile } from 'node:child_process'
import { link, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'

import { drawImage, encodeImage } from './images.js'

/**
 * A PNG of one grey channel.
 * @param pixels rows of packed pixels, a filter byte before each; as many as there are
 */
export function pngOf(width: number, height: number, depth: 1 | 8 | 16, pixels: Buffer): Buffer {
  const chunk = (name: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(name), data])
    const ends = Buffer.alloc(8)
    ends.writeUInt32BE(data.length, 0)
    ends.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = depth
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(pixels)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts])
}

/** Contents that a folder of images should not have, by the name of what is wrong; `good` says that the image is usable all the same. */
export async function damagedFiles(): Promise<
  Record<string, { readonly extension: string; readonly content: Buffer; readonly good?: true }>
> {
  const jpeg = await encodeImage(drawImage(1, 200, 150), 'jpeg')
  const png = await encodeImage(drawImage(2, 40, 40), 'png')
  const { default: sharp } = await import('sharp')
  const profile = await sharp(png).withIccProfile('p3').jpeg().toBuffer()
  const at = profile.indexOf('ICC_PROFILE') + 14
  return {
    truncated: { extension: 'jpg', content: jpeg.subarray(0, jpeg.length / 2) },
    'header-only': { extension: 'jpg', content: jpeg.subarray(0, 300) },
    empty: { extension: 'jpg', content: Buffer.alloc(0) },
    zeros: { extension: 'png', content: Buffer.alloc(5000) },
    page: { extension: 'jpg', content: Buffer.from('<!DOCTYPE html><title>404</title>') },
    huge: { extension: 'png', content: pngOf(30_000, 20_000, 1, Buffer.alloc(20_000 * 3751)) }, // 600 megapixels, all there
    'huge-header': { extension: 'png', content: pngOf(30_000, 20_000, 16, Buffer.alloc(8)) },
    'jpeg-in-truth': { extension: 'png', content: jpeg, good: true },
    'png-in-truth': { extension: 'jpg', content: png, good: true },
    profile: { extension: 'jpg', content: profile, good: true },
    'broken-profile': { extension: 'jpg', content: Buffer.from(profile).fill(0xa5, at, at + 200), good: true },
  }
}

/** What can become of a file while a run reads it, and the code of its record. */
export const mishaps: Readonly<Record<string, { readonly code: string; befall(path: string): Promise<void> }>> = {
  vanishes: { code: 'ENOENT', befall: (path) => rm(path) },
  replaced: {
    code: 'CHANGED',
    async befall(path) {
      await rm(path)
      await writeFile(path, await encodeImage(drawImage(987, 36, 32), 'png'))
    },
  },
  cut: {
    code: 'CHANGED',
    async befall(path) {
      await unlinked(path)
      await truncate(path, 200)
    },
  },
  'becomes a pipe': {
    code: 'ESPIPE',
    async befall(path) {
      await rm(path)
      await promisify(execFile)('mkfifo', [path])
    },
  },
  'becomes a folder': {
    code: 'EISDIR',
    async befall(path) {
      await rm(path)
      await mkdir(path)
    },
  },
}

/** Hard links would share what is done to one of them. */
async function unlinked(path: string): Promise<void> {
  const content = await readFile(path)
  await rm(path)
  await writeFile(path, content)
}

/** Links or writes files named by `names`, a content each; contents that come again are hard links. */
export async function writeMany(
  folder: string,
  files: readonly { readonly name: string; readonly content: Buffer | 'dangling' }[],
): Promise<void> {
  const written = new Map<Buffer, { path: string; links: number }>()
  for (const { name, content } of files) {
    const path = join(folder, name)
    if (content === 'dangling') {
      await symlink(join(folder, 'nowhere'), path)
      continue
    }
    const first = written.get(content)
    if (first !== undefined && first.links < mostLinks) {
      first.links++
      await link(first.path, path)
    } else {
      await writeFile(path, content)
      written.set(content, { path, links: 1 })
    }
  }
}

/** Fewer than any file system allows of one file. */
const mostLinks = 500
