import { types } from 'node:util'
import { CaeError, type CaeErrorParts, isCaeErrorCode } from '../errors.js'

/** Makes a `CaeError` of what a border function threw: native errors carry `code`, `what`, `where` and `todo` (native/binding/errors.h). */
export function toCaeError(error: unknown, functionName: string): CaeError {
  if (error instanceof CaeError) return error
  const fields: Partial<Record<keyof CaeErrorParts | 'code' | 'message', unknown>> =
    typeof error === 'object' && error !== null ? error : {}
  const parts = {
    what: text(fields.what) ?? text(fields.message) ?? String(error),
    where: text(fields.where),
    todo: text(fields.todo),
  }
  if (isCaeErrorCode(fields.code)) return new CaeError(fields.code, parts, { cause: error })
  const where = parts.where ?? `native function ${functionName}`
  return new CaeError(
    'ERR_CAE_INTERNAL',
    { ...parts, where, todo: parts.todo ?? 'report it with the output of `cae-torch doctor`' },
    { cause: error },
  )
}

type AnyFunction = (...args: readonly unknown[]) => unknown

/** The same function, whose failures are `CaeError`s: thrown where it throws, rejected where its promise rejects. */
export function withCaeErrors(name: string, native: AnyFunction): AnyFunction {
  return (...args) => {
    let result: unknown
    try {
      result = native(...args)
    } catch (error) {
      throw toCaeError(error, name)
    }
    return types.isPromise(result) ? settled(name, result) : result
  }
}

/** An async function, so that V8 adds the awaiting callers to the stack of the error made here. */
async function settled(name: string, promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    throw toCaeError(error, name)
  }
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
