/** True when two types are the same, optionality and readonly included. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only for `true`. */
export function assertType<_T extends true>(): void {}
