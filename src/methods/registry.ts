import { unknownName } from '../config/resolve.js'
import { cae } from './cae.js'
import { dvae } from './dvae.js'
import { dvaeLight } from './dvae-light.js'
import type { Method } from './method.js'

/** Every pre-training method; the native side lists the same in native/methods/registry.cpp. */
export const methods = { cae } as const

/** Every method that trains a tokenizer; the native side lists them beside the others. */
export const tokenizers = { dvae, 'dvae-light': dvaeLight } as const

/** Name of a pre-training method. */
export type MethodName = keyof typeof methods

/** All methods' names. */
export const methodNames = Object.keys(methods) as [MethodName, ...MethodName[]]

/** Name of a method that trains a tokenizer. */
export type TokenizerMethodName = keyof typeof tokenizers

/** The declaration of whatever a network was trained by, tokenizers included. */
export function declarationOf(name: string): Method {
  return Object.hasOwn(tokenizers, name) ? tokenizers[name as TokenizerMethodName] : findMethod(name)
}

/**
 * The tokenizer method that has a preset.
 * @throws {CaeError} ERR_CAE_OPTION that lists the presets there are
 */
export function tokenizerOfPreset(preset: string): TokenizerMethodName {
  const names = Object.keys(tokenizers) as TokenizerMethodName[]
  const found = names.find((name) => Object.hasOwn(tokenizers[name].presets, preset))
  if (found !== undefined) return found
  throw unknownName('tokenizer preset', preset, tokenizerPresetNames)
}

/** All tokenizers' presets. */
export const tokenizerPresetNames = Object.values(tokenizers).flatMap(({ presets }) => Object.keys(presets))

/**
 * The declaration of a method.
 * @param source where the name comes from, for the message
 * @throws {CaeError} ERR_CAE_OPTION that lists the methods there are
 */
export function findMethod(name: string, source?: string): (typeof methods)[MethodName] {
  if (!isMethodName(name)) throw unknownName('method', name, methodNames, source)
  return methods[name]
}

function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methods, name)
}
