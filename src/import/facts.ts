import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { CaeError } from '../errors.js'

/** What the JSON files of a Hugging Face folder say beside the weights; undefined where they do not. */
export interface Facts {
  readonly imageSize?: readonly [number, number] | undefined
  readonly numHeads?: number | undefined
  readonly layerNormEps?: number | undefined
  readonly activation?: 'gelu' | 'quick-gelu' | undefined
  readonly mean?: readonly [number, number, number] | undefined
  readonly std?: readonly [number, number, number] | undefined
}

/**
 * Reads `config.json` and `preprocessor_config.json` of a folder, as far as they are there and Hugging Face's.
 * @throws {CaeError} ERR_CAE_CHECKPOINT for JSON that cannot be read, or an activation that is not offered
 */
export async function readFacts(folder: string): Promise<Facts> {
  const path = join(folder, 'config.json')
  const whole = await readJson(path)
  if (typeof whole.model_type !== 'string') return {}
  const config = record(whole.vision_config) ?? whole
  const pixels = await readJson(join(folder, 'preprocessor_config.json'))
  return {
    imageSize: sizeOf(config.image_size),
    numHeads: numberOf(config.num_attention_heads),
    layerNormEps: numberOf(config.layer_norm_eps),
    activation: activationOf(config.hidden_act, path),
    mean: channelsOf(pixels.image_mean),
    std: channelsOf(pixels.image_std),
  }
}

function activationOf(name: unknown, path: string): Facts['activation'] {
  if (name === undefined) return undefined
  if (name === 'gelu') return 'gelu'
  if (name === 'quick_gelu') return 'quick-gelu'
  throw new CaeError('ERR_CAE_CHECKPOINT', {
    what: `the activation ${JSON.stringify(name)} is not offered, only "gelu" and "quick_gelu"`,
    where: path,
    todo: 'an encoder with one of the two',
  })
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return {}
  try {
    return record(JSON.parse(text)) ?? {}
  } catch (cause) {
    throw new CaeError('ERR_CAE_CHECKPOINT', { what: 'the file is not JSON text', where: path }, { cause })
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function numbersOf(value: unknown, length: number): readonly number[] | undefined {
  return Array.isArray(value) && value.length === length && value.every((n) => typeof n === 'number') ? value : undefined
}

function sizeOf(value: unknown): readonly [number, number] | undefined {
  if (typeof value === 'number') return [value, value]
  const [height, width] = numbersOf(value, 2) ?? []
  return height !== undefined && width !== undefined ? [height, width] : undefined
}

function channelsOf(value: unknown): readonly [number, number, number] | undefined {
  const [r, g, b] = numbersOf(value, 3) ?? []
  return r !== undefined && g !== undefined && b !== undefined ? [r, g, b] : undefined
}
