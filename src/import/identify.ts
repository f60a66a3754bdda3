import { CaeError } from '../errors.js'
import { type KeyMap, mapKeys } from './key-map.js'
import type { Origin } from './origin.js'
import { origins, strangers } from './origins.js'
import { unwrap } from './unwrap.js'

/** Shapes of a file's tensors by name, names being dotted paths through what was saved. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** What a file of weights is. */
export interface Identity {
  readonly origin: Origin
  /** Key or keys that the state dict lies under: `model`, `state_dict.module`; empty for a bare one. */
  readonly container: string
  readonly keys: KeyMap
}

/**
 * Says which kind of checkpoint the tensors of a file are, from their names alone.
 * @param where the file, for messages
 * @throws {CaeError} ERR_CAE_CHECKPOINT that says what the file is instead of an encoder, as far as its tensors tell
 */
export function identify(shapes: Shapes, where?: string): Identity {
  const found = unwrap(shapes.keys())
  const names = [...found.names.keys()]
  const stranger = strangers.find(({ has }) => names.some((name) => has.test(name)))
  if (stranger) throw refusal(`the file holds ${stranger.what}`, where, stranger.todo)
  const any = (pattern: RegExp) => names.some((name) => pattern.test(name))
  const isWrapped = found.container !== ''
  const origin = origins.find(
    (row) => row.has.every(any) && !row.lacks?.some(any) && (row.isWrapped === undefined || row.isWrapped === isWrapped),
  )
  if (origin === undefined) throw refusal(strangeness(names, shapes.size), where)
  return { origin, container: found.container, keys: mapKeys(found, origin) }
}

function strangeness(names: readonly string[], count: number): string {
  if (count === 0) return 'there are no tensors in the file'
  const sample = names.slice(0, 3).join(', ')
  const shown = names.length > 3 ? `${sample} and ${count - 3} more` : sample
  return `the file holds no vision transformer that is known here: its tensors are ${shown}`
}

const known =
  'an encoder of CAE, MAE, BEiT, DINO, MoCo v3, DeiT, CLIP or DINOv2, in the names of its authors, timm, Hugging Face or mmpretrain'

function refusal(what: string, where: string | undefined, todo = known): CaeError {
  return new CaeError('ERR_CAE_CHECKPOINT', { what, where, todo })
}
