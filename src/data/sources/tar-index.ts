import { imageExtensions } from '../image-format.js'
import { PackedStrings } from '../packed-strings.js'
import { type ByteSource, badSource } from './byte-source.js'
import { ForwardReader, type TarMember, tarMembers } from './tar-members.js'

/** Where the images of a shard are: what one pass over it found. */
export interface TarIndex {
  /** Where each image begins, in bytes. */
  readonly offsets: Float64Array
  readonly sizes: Uint32Array
  /** From `.cls`, or -1. */
  readonly labels: Int32Array
  /** Of the images' members. */
  readonly names: PackedStrings
  /** Samples in which there is no image. */
  readonly withoutImage: number
}

/** A member's name in two: `a/b.seg.png` is of the sample `a/b`, and its `seg.png`. */
interface MemberName {
  readonly key: string
  readonly extension: string
}

/** Longest `.cls`, in bytes. */
const longestLabel = 64

/**
 * Key and extension of a member by WebDataset's rule (spec/ecosystem.md 5.5): cut at the first dot of the base name.
 * @returns undefined for members that belong to no sample: without a dot, with one in front, and metadata such as `__index__`
 */
export function splitMemberName(name: string): MemberName | undefined {
  if (!name.includes('/') && name.startsWith('__') && name.endsWith('__')) return undefined
  const base = name.lastIndexOf('/') + 1
  const dot = name.indexOf('.', base)
  if (dot <= base) return undefined
  return { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() }
}

/**
 * Passes over a shard once and notes where its images are. A sample is a run of members with one key.
 * @param image extension of the images; default: the first in a sample that is an image's
 * @throws {CaeError} ERR_CAE_DATA when the archive is damaged or breaks WebDataset's rules; `signal.reason` on abort
 */
export async function indexTar(source: ByteSource, image: string | undefined, signal?: AbortSignal): Promise<TarIndex> {
  const reader = new ForwardReader(source, signal)
  const isImage = (extension: string) => (image === undefined ? imageExtensions.has(`.${extension}`) : extension === image)
  const offsets: number[] = []
  const sizes: number[] = []
  const labels: number[] = []
  const names = new PackedStrings()
  let withoutImage = 0
  let sample: { readonly key: string; readonly extensions: Set<string>; image: TarMember | undefined; label: number } | undefined

  const finish = () => {
    if (sample === undefined) return
    if (sample.image === undefined) {
      withoutImage++
      return
    }
    offsets.push(sample.image.offset)
    sizes.push(sample.image.size)
    labels.push(sample.label)
    names.push(sample.image.name)
  }

  for await (const member of tarMembers(source, reader)) {
    const split = splitMemberName(member.name)
    if (split === undefined) continue
    if (sample?.key !== split.key) {
      finish()
      sample = { key: split.key, extensions: new Set(), image: undefined, label: -1 }
    }
    const { extension } = split
    if (sample.extensions.has(extension)) {
      throw badSource(source, `the sample ${split.key} has two members .${extension}`, 'pack each extension once a sample')
    }
    sample.extensions.add(extension)
    if (sample.image === undefined && isImage(extension)) {
      if (member.size > 0xffffffff) throw badSource(source, `${member.name} has ${member.size} bytes: that is no image`)
      sample.image = member
    } else if (extension === 'cls') {
      sample.label = labelOf(source, member, member.size > longestLabel ? undefined : await reader.read(member.offset, member.size))
    }
  }
  finish()
  return { offsets: Float64Array.from(offsets), sizes: Uint32Array.from(sizes), labels: Int32Array.from(labels), names, withoutImage }
}

/** A decimal number in ASCII; a negative one says that there is no class. */
function labelOf(source: ByteSource, member: TarMember, content: Buffer | undefined): number {
  const label = Number(content?.toString('latin1').match(/^\s*[+-]?\d+\s*$/)?.[0] ?? Number.NaN)
  if (label <= 0x7fffffff) return Math.max(label, -1)
  const held = content === undefined ? `${member.size} bytes` : JSON.stringify(content.toString('latin1'))
  throw badSource(source, `${member.name} holds ${held}, expected a class as a decimal number`)
}
