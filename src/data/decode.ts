import type * as jpegTurbo from '@julusian/jpeg-turbo'
import type { Metadata, Sharp, SharpOptions } from 'sharp'

import { CaeError } from '../errors.js'
import { messageOf } from '../io/output-error.js'
import type { ImageInput, RawImage } from './dataset.js'
import { FileReader } from './file-reader.js'
import { gifTransparentColor } from './gif-transparency.js'
import { sniffFormat } from './image-format.js'
import { type JpegHeader, readJpegHeader } from './jpeg-header.js'
import { PixelPool } from './pixel-pool.js'
import { type AlphaMode, cmykToRgb, fillTransparent, toRgb } from './rgb.js'
import { type DecodedImage, upright } from './upright.js'

export type { AlphaMode, DecodedImage }

/** How an encoded image becomes RGB pixels. */
export interface DecodeOptions {
  /** Transparency: `drop` keeps the stored colours, `#rrggbb` lays the image onto that colour. */
  readonly alpha: AlphaMode
  /** Turn the image as its EXIF orientation says. */
  readonly exif: boolean
  /** More pixels than this are refused from the header, before anything is allocated. */
  readonly maxPixels: number
}

export const decodeDefaults: DecodeOptions = { alpha: 'drop', exif: true, maxPixels: 100e6 }

/** An image whose header has been read and found sound. */
export interface OpenedImage {
  /** Memory that decoding takes, in bytes. */
  readonly bytes: number
  /** Memory held until then: the encoded file. */
  readonly heldBytes: number
  /** Decodes, once. At once for very small images, for which a promise costs more than the work. */
  decode(): DecodedImage | Promise<DecodedImage>
}

/** Pixels up to which a JPEG is decoded on the calling thread: 14 us at 32 x 32, about 40 us at this size. */
const decodedAtOnce = 64 * 64

interface Libraries {
  readonly sharp: (input: Uint8Array, options: SharpOptions) => Sharp
  readonly turbo: typeof jpegTurbo
}

let libraries: Promise<Libraries> | undefined

/** Both decoders, loaded when the first image needs them: importing the package must stay light. */
function loadLibraries(): Promise<Libraries> {
  libraries ??= (async () => {
    const [{ default: sharp }, { default: turbo }] = await Promise.all([import('sharp'), import('@julusian/jpeg-turbo')])
    sharp.cache(false) // every image is seen once a pass: a cache of operations only keeps memory
    sharp.concurrency(1) // images are decoded beside each other, so threads within one would only compete
    return { sharp, turbo }
  })()
  return libraries
}

/** Opens images with one set of options. */
export interface Decoder {
  /**
   * Reads an image as far as its header: at once where that takes microseconds.
   * @throws {CaeError} ERR_CAE_BAD_IMAGE naming it: unreadable, no image, an unsupported format, more pixels than allowed
   */
  open(input: ImageInput, name: string, reading?: Reading): OpenedImage | Promise<OpenedImage>
  /** Whether the storage of files does not answer: none of several reads has come back for `ms`. */
  isStuck(ms: number): boolean
}

/** What may be said about the reading of one image. */
export interface Reading {
  /** Looks at an encoded image's bytes before anything else does; what it throws is what is wrong with the image. */
  readonly inspect?: ((bytes: Uint8Array) => void) | undefined
}

/** @param pool where the memory of decoded JPEGs comes from; whoever has one gives it back. Default: none, each image has its own */
export async function createDecoder(options: DecodeOptions, pool = new PixelPool(0)): Promise<Decoder> {
  const loaded = await loadLibraries()
  const reader = new FileReader()
  return {
    isStuck: (ms) => reader.isStuck(ms),
    open(input, name, reading) {
      const subject = { loaded, options, pool, name, reading }
      if (typeof input === 'string') return openFile(input, reader, subject)
      return input instanceof Uint8Array ? openEncoded(input, subject) : openRaw(input, subject)
    },
  }
}

/**
 * Decodes one image to RGB: JPEG, PNG, WebP, GIF, TIFF (first frame or page) and AVIF; 16 bits a channel become 8, colour profiles are
 * ignored, CMYK goes by the plain formula. A damaged file is decoded as far as its decoder holds the result for an image; a truncated one
 * is refused.
 * @param input a path, an encoded file's bytes, or decoded pixels
 * @throws {CaeError} ERR_CAE_BAD_IMAGE naming the image, with the decoder's words as cause
 */
export async function decodeImage(
  input: ImageInput,
  options: Partial<DecodeOptions> & { readonly name?: string } = {},
): Promise<DecodedImage> {
  const { name = typeof input === 'string' ? input : 'image', ...rest } = options
  const decoder = await createDecoder({ ...decodeDefaults, ...rest })
  const opened = await decoder.open(input, name)
  return opened.decode()
}

/** An image on its way through: what its messages and choices need. */
interface Subject {
  readonly loaded: Libraries
  readonly options: DecodeOptions
  readonly pool: PixelPool
  readonly name: string
  readonly reading: Reading | undefined
}

function badImage(subject: Subject, what: string, cause?: unknown): CaeError {
  return new CaeError('ERR_CAE_BAD_IMAGE', { what, where: subject.name }, cause === undefined ? {} : { cause })
}

function openFile(path: string, reader: FileReader, subject: Subject): OpenedImage | Promise<OpenedImage> {
  const unreadable = (error: unknown) => badImage(subject, `cannot read the image: ${messageOf(error)}`, error)
  let bytes: Buffer | Promise<Buffer>
  try {
    bytes = reader.read(path)
  } catch (error) {
    throw unreadable(error)
  }
  if (!(bytes instanceof Promise)) return openEncoded(bytes, subject)
  return bytes.then(
    (read) => openEncoded(read, subject),
    (error) => {
      throw unreadable(error)
    },
  )
}

function openEncoded(bytes: Uint8Array, subject: Subject): OpenedImage | Promise<OpenedImage> {
  subject.reading?.inspect?.(bytes)
  const kind = sniffFormat(bytes)
  if (kind === undefined) throw badImage(subject, bytes.length === 0 ? 'the image is empty: 0 bytes' : 'not an image: no known signature')
  if ('unsupported' in kind) throw badImage(subject, `unsupported format: ${kind.unsupported}`)
  const header = kind.format === 'jpeg' ? readJpegHeader(bytes) : undefined
  if (header === undefined || !suitsTurbo(header)) return openBySharp(bytes, subject)
  checkPixels(header.width, header.height, subject)
  const copies = subject.options.exif && header.orientation !== 1 ? 2 : 1
  return {
    bytes: copies * 3 * header.width * header.height,
    heldBytes: bytes.length,
    decode: () => decodeByTurbo(bytes, header, subject),
  }
}

/** libjpeg-turbo's interface has no CMYK, does not look for a size in the data, and always takes the fast inverse transform. */
function suitsTurbo({ width, height, components, fine }: JpegHeader): boolean {
  return components <= 3 && width * height > 0 && !fine
}

function checkPixels(width: number, height: number, subject: Subject): void {
  if (width * height <= subject.options.maxPixels) return
  throw badImage(subject, `${width} x ${height} pixels are more than maxPixels ${subject.options.maxPixels} allows`)
}

function decodeByTurbo(bytes: Uint8Array, header: JpegHeader, subject: Subject): DecodedImage | Promise<DecodedImage> {
  const { loaded, options, pool } = subject
  const { turbo } = loaded
  const { width, height } = header
  const orientation = options.exif ? header.orientation : 1
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const image = { data: pool.take(3 * width * height), width, height }
  const format = { format: turbo.FORMAT_RGB }
  const refused = () => {
    pool.giveBack(image.data)
    return retryBySharp(bytes, subject)
  }
  const turn = () => (orientation === 1 ? image : upright(image, orientation, pool))
  try {
    if (width * height > decodedAtOnce) return turbo.decompress(source, image.data, format).then(turn, refused)
    turbo.decompressSync(source, image.data, format)
  } catch {
    return refused() // thrown on call as well: a header that it refuses
  }
  return turn()
}

/** libjpeg-turbo's interface refuses odd sampling factors and stops at mere warnings; libvips says what is really wrong. */
async function retryBySharp(bytes: Uint8Array, subject: Subject): Promise<DecodedImage> {
  return (await openBySharp(bytes, subject)).decode()
}

async function openBySharp(bytes: Uint8Array, subject: Subject): Promise<OpenedImage> {
  const { sharp } = subject.loaded
  // failOn error: a truncated file is an error, a warning is not, as in the reference loaders.
  const options: SharpOptions = { failOn: 'error', ignoreIcc: true, limitInputPixels: subject.options.maxPixels }
  const metadata = await attempt(subject, () => sharp(bytes, options).metadata())
  checkPixels(metadata.width, metadata.height, subject)
  return {
    bytes: 3 * metadata.width * metadata.height,
    heldBytes: bytes.length,
    decode: () => attempt(subject, () => decodeBySharp(sharp(bytes, options), bytes, metadata, subject.options)),
  }
}

async function decodeBySharp(image: Sharp, bytes: Uint8Array, metadata: Metadata, options: DecodeOptions): Promise<DecodedImage> {
  const turned = options.exif ? image.autoOrient() : image
  if (metadata.space === 'cmyk') return cmykToRgb(await rawPixels(turned.removeAlpha().pipelineColourspace('cmyk').toColourspace('cmyk')))
  const colored = turned.toColourspace('srgb')
  if (!metadata.hasAlpha) return toRgb(await rawPixels(colored), 'drop')
  if (options.alpha !== 'drop') return toRgb(await rawPixels(colored.flatten({ background: options.alpha })), 'drop')
  const stored = metadata.format === 'gif' ? gifTransparentColor(bytes) : undefined
  if (stored !== undefined) return fillTransparent(await rawPixels(colored.ensureAlpha()), stored)
  return toRgb(await rawPixels(colored.removeAlpha()), 'drop')
}

async function rawPixels(image: Sharp) {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels }
}

async function attempt<Result>(subject: Subject, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CaeError) throw error
    throw badImage(subject, `cannot decode the image: ${firstLine(messageOf(error))}`, error)
  }
}

/** libvips repeats itself, a line a warning. */
function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message
}

function openRaw(image: RawImage, subject: Subject): OpenedImage {
  const { data, width, height, channels } = image
  checkPixels(width, height, subject)
  const wanted = width * height * channels
  if (![1, 3, 4].includes(channels) || !(width >= 1 && height >= 1) || data.length !== wanted) {
    throw badImage(subject, `${width} x ${height} pixels of ${channels} channels (1, 3 or 4) take ${wanted} bytes, not ${data.length}`)
  }
  return {
    bytes: 3 * width * height,
    heldBytes: data.length,
    decode: () => (channels === 3 ? { data, width, height } : toRgb(image, subject.options.alpha)),
  }
}
