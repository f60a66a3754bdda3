import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { writeSafetensors } from '../../src/io/safetensors.js'
import { openTensorFile } from '../../src/io/tensor-file.js'
import { openTorchFile } from '../../src/io/torch-file.js'
import { dict, floats, tensor, torchLegacy, torchZip } from '../support/make-torch.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder()
const root = dict({ w: tensor({ length: 2, shape: [2], strides: [1] }) })

async function write(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder(), name)
  await writeFile(path, content)
  return path
}

describe('opening a file of tensors', () => {
  test('tells the format by the content, whatever the name', async () => {
    const safetensors = join(folder(), 'a.pth')
    await writeSafetensors(safetensors, [{ name: 'w', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }])
    const zip = await write('b.safetensors', torchZip(root, { 0: floats(1, 2) }))
    const legacy = await write('c', torchLegacy(root, [['0', 2, floats(1, 2)]]))
    for (const [path, format] of [
      [safetensors, 'safetensors'],
      [zip, 'torch-zip'],
      [legacy, 'torch-legacy'],
    ] as const) {
      await using file = await openTensorFile(path)
      expect([file.path, file.format, [...file.tensors.keys()]]).toEqual([path, format, ['w']])
      expect(await file.readFloat32('w')).toEqual({ data: Float32Array.of(1, 2), shape: [2] })
      await file.close()
    }
    await expect(openTorchFile(safetensors)).rejects.toMatchObject({ message: expect.stringMatching(/a safetensors file/) })
  })

  test('a header whose length begins like a pickle is a header', async () => {
    const path = join(folder(), 'weights')
    // Padding of names until the length's first byte is a pickle's opcode PROTO.
    for (let padding = 0; padding < 256; padding += 8) {
      await writeSafetensors(path, [{ name: 'w'.repeat(1 + padding), dtype: 'F32', shape: [1], data: Float32Array.of(1) }])
      if ((await readFile(path))[0] === 0x80) break
    }
    expect((await readFile(path))[0]).toBe(0x80)
    await using file = await openTensorFile(path)
    expect(file.format).toBe('safetensors')
  })

  const curl =
    '  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n' +
    '                                 Dload  Upload   Total   Spent    Left  Speed\n\r  0 85.8M    0  0    0     0\n'
  const tar = Buffer.alloc(1024)
  tar.write('pickle')
  tar.write('ustar', 257)
  test.each<[what: string, content: string | Buffer, message: RegExp]>([
    [
      'an HTML page',
      '\n<!DOCTYPE html>\n<html lang="en"><head><title>Google Drive - Virus scan warning</title>',
      /an HTML page, not weights.*links/,
    ],
    ['an HTML page of an old kind', '\ufeff<HTML><BODY>404</BODY></HTML>', /an HTML page/],
    ['the answer of a store', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', /XML answer/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n', /Git LFS pointer/],
    ['the log of curl', curl, /log of a download/],
    [
      'the log of wget',
      '--2021-03-01 10:00:00--  https://cdn.example/encoder.pkl\nResolving cdn.example... 1.2.3.4\n',
      /log of a download/,
    ],
    ['text', 'Not Found', /it is text/],
    ['nothing', '', /it is empty/],
    ['a tar archive', tar, /tar archive/],
    ['a compressed file', gzipSync('weights'), /compressed by gzip/],
    ['noise', Buffer.from([0, 1, 2, 3, 0, 1, 2, 3, 0, 1]), /neither a safetensors file nor/],
    ['JSON', '{"architectures": ["ViTModel"]}', /JSON text without a `weight_map`/],
    ['JSON that is none', '{"weight_map": ', /JSON text without/],
  ])('says that it is %s', async (what, content, message) => {
    const path = await write('weights.pth', content)
    await expect(openTensorFile(path)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(message) })
    const torchMessage = what.startsWith('JSON') ? /JSON text/ : message
    await expect(openTorchFile(path)).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT', message: expect.stringMatching(torchMessage) })
  })

  test('follows an index to several files', async () => {
    await write('one.bin', torchZip(root, { 0: floats(1, 2) }))
    await writeSafetensors(join(folder(), 'two.safetensors'), [{ name: 'v', dtype: 'I32', shape: [1], data: Int32Array.of(3) }])
    const index = (map: unknown) => write('pytorch_model.bin.index.json', JSON.stringify({ metadata: {}, weight_map: map }))
    await using file = await openTensorFile(await index({ v: 'two.safetensors', w: 'one.bin' }))
    expect([...file.tensors.keys()]).toEqual(['v', 'w'])
    expect((await file.readFloat32('w')).data).toEqual(Float32Array.of(1, 2))
    expect((await file.read('v')).data).toEqual(Int32Array.of(3))
    await expect(file.read('u')).rejects.toMatchObject({ code: 'ERR_CAE_CHECKPOINT' })
    for (const [map, message] of [
      [{ w: 'two.safetensors' }, /should hold "w"/],
      [{ w: '../one.bin' }, /not the name of a file/],
      [{ w: 'pytorch_model.bin.index.json' }, /JSON text/],
      [{ w: 'three.bin' }, /no such file/],
      [{ w: 5 }, /not the name of a file/],
    ] as const) {
      await expect(index(map).then(openTensorFile)).rejects.toMatchObject({
        code: 'ERR_CAE_CHECKPOINT',
        message: expect.stringMatching(message),
      })
    }
  })
})
