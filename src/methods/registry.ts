import { unknownName } from '../config/resolve.js'
import { cae } from './cae.js'

/** Every pre-training method; the native side lists the same in native/methods/registry.cpp. */
export const methods = { cae } as const

/** Name of a pre-training method. */
export type MethodName = keyof typeof methods

/** All methods' names. */
export const methodNames = Object.keys(methods) as [MethodName, ...MethodName[]]

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
