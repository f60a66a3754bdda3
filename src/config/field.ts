import { z } from 'zod'

declare const outType: unique symbol

/** How a command line word becomes a value; the rest of a field says whether it is a good one. */
export type FieldKind = 'int' | 'real' | 'bytes' | 'flag' | 'choice' | 'text' | 'size' | 'list'

/**
 * One option: its check, its default and what its help says. The document is the comment above the option in its table:
 * editors show it on hover, and `npm run gen:options` copies it to `option-docs.ts` for the command line and the docs.
 * @typeParam Out the resolved value, @typeParam Parsed the same before derived defaults are filled in, @typeParam In what a user may write
 */
export interface Field<Out, Parsed = Out, In = Parsed> {
  readonly [outType]?: Out
  readonly schema: z.ZodType<Parsed, In>
  readonly default: Parsed
  readonly kind: FieldKind
  /** What the check wants, for messages: `an integer from 1 to 8`. */
  readonly expects: string
  readonly unit?: string | undefined
  /** What the default stands for where it is not a plain value: `as wide as the encoder`. */
  readonly meaning?: string | undefined
  /** The words of a choice. */
  readonly choices?: readonly string[] | undefined
  /** What stands for the value in help: `path`. */
  readonly hint?: string | undefined
}

/** An option table. */
export type Fields = Readonly<Record<string, Field<unknown, unknown, unknown>>>

/** Every option of a table, resolved. Homomorphic, so that the options' comments show on hover. */
export type Infer<F extends Fields> = { readonly [K in keyof F]: F[K] extends { readonly [outType]?: infer Out } ? Out : never }

/** Every option of a table, checked, with derived defaults still open (null or 'auto'). */
export type Parsed<F extends Fields> = { readonly [K in keyof F]: F[K]['default'] }

/** What a user may write: every option may be left out. */
export type Input<F extends Fields> = { readonly [K in keyof F]?: z.input<F[K]['schema']> | undefined }

interface Range {
  readonly min?: number
  readonly max?: number
  readonly unit?: string
}
/** The default: a value, or null with its meaning, or null to be derived from other options when the configuration is resolved. */
type Default<T> =
  | { readonly default: T; readonly meaning?: string }
  | { readonly default: null; readonly meaning: string }
  | { readonly derived: string }

interface Checked<T, In> {
  readonly schema: z.ZodType<T, In>
  readonly kind: FieldKind
  readonly expects: string
  readonly unit?: string | undefined
  readonly choices?: readonly string[]
}

function field<T, In>(checked: Checked<T, In>, given: Default<T>): Field<T | null, T | null, In | null> {
  if ('default' in given && given.default !== null) return { ...checked, default: given.default, meaning: given.meaning }
  return {
    ...checked,
    schema: checked.schema.nullable(),
    expects: `${checked.expects}, or null`,
    default: null,
    meaning: 'derived' in given ? given.derived : given.meaning,
  }
}

function rangeText(what: string, { min, max, unit }: Range): string {
  const suffix = unit === undefined ? '' : ` (${unit})`
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}${suffix}`
  if (min !== undefined) return `${what} of at least ${min}${suffix}`
  return max === undefined ? `${what}${suffix}` : `${what} of at most ${max}${suffix}`
}

function within(schema: z.ZodNumber, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Range): z.ZodType<number, number> {
  return schema.refine((value) => value >= min && value <= max)
}

/** A whole number. */
export function int(o: Range & { default: number; meaning?: string }): Field<number>
export function int(o: Range & { default: null; meaning: string }): Field<number | null>
export function int(o: Range & { derived: string }): Field<number, number | null>
export function int(o: Range & Default<number>): Field<number | null> {
  return field({ schema: within(z.int(), o), kind: 'int', expects: rangeText('an integer', o), unit: o.unit }, o)
}

/** A finite number. */
export function real(o: Range & { default: number; meaning?: string }): Field<number>
export function real(o: Range & { default: null; meaning: string }): Field<number | null>
export function real(o: Range & { derived: string }): Field<number, number | null>
export function real(o: Range & Default<number>): Field<number | null> {
  return field({ schema: within(z.number(), o), kind: 'real', expects: rangeText('a number', o), unit: o.unit }, o)
}

/** A number, or 'auto' for one that is computed from other options. */
export function autoReal(o: Range & { meaning: string }): Field<number, number | 'auto'> {
  return {
    schema: z.union([within(z.number(), o), z.literal('auto')]),
    kind: 'real',
    expects: `${rangeText('a number', o)}, or 'auto'`,
    default: 'auto',
    meaning: o.meaning,
    unit: o.unit,
  }
}

/** A number of bytes, or one of the words; the command line takes suffixes such as `512M`. */
export function bytes(o: { default: number }): Field<number>
export function bytes<const W extends string>(o: { default: number | NoInfer<W>; words: readonly [W, ...W[]] }): Field<number | W>
export function bytes(o: { default: number | string; words?: readonly [string, ...string[]] }): Field<number | string> {
  const number = z.int().min(0)
  const facts = { kind: 'bytes', default: o.default, unit: 'bytes' } as const
  if (o.words === undefined) return { ...facts, schema: number, expects: 'a number of bytes' }
  const words = o.words.map((word) => `'${word}'`).join(' or ')
  return { ...facts, schema: z.union([number, z.enum(o.words)]), expects: `a number of bytes, or ${words}`, choices: o.words }
}

/** Yes or no. */
export function flag(o: { default: boolean }): Field<boolean> {
  return { schema: z.boolean(), kind: 'flag', expects: 'true or false', default: o.default }
}

/** One word of a list. */
export function oneOf<const W extends string>(words: readonly [W, ...W[]], o: { default: NoInfer<W>; expects?: string }): Field<W>
export function oneOf<const W extends string>(words: readonly [W, ...W[]], o: { default: null; meaning: string }): Field<W | null>
export function oneOf<const W extends string>(words: readonly [W, ...W[]], o: Default<W> & { expects?: string }): Field<W | null> {
  const expects = o.expects ?? `one of ${words.map((word) => `'${word}'`).join(', ')}`
  return field({ schema: z.literal(words), kind: 'choice', expects, choices: words }, o)
}

interface Form {
  readonly pattern?: RegExp
  readonly expects?: string
  readonly hint?: string
}

/** Text of a form that TypeScript can check where `T` is a template literal type. */
export function text<T extends string = string>(o: Form & { default: NoInfer<T> }): Field<T>
export function text<T extends string = string>(o: Form & { default: null; meaning: string }): Field<T | null>
export function text<T extends string = string>(o: Form & Default<T>): Field<T | null> {
  // That what matches the pattern is a `T`, no compiler can see.
  const schema = z.string().regex(o.pattern ?? /./) as unknown as z.ZodType<T, T>
  return { ...field({ schema, kind: 'text', expects: o.expects ?? 'text' }, o), hint: o.hint }
}

type Size = readonly [number, number]

/** Height and width; one number stands for both. */
export function size(o: Range & { default: Size }): Field<Size, Size, number | Size>
export function size(o: Range & { default: null; meaning: string }): Field<Size | null, Size | null, number | Size | null>
export function size(o: Range & Default<Size>): Field<Size | null, Size | null, number | Size | null> {
  const side = within(z.int(), o)
  const schema = z.union([side.transform((n): [number, number] => [n, n]), z.tuple([side, side])]).readonly()
  return field({ schema, kind: 'size', expects: `${rangeText('an integer', o)}, or [height, width]`, unit: o.unit }, o)
}

type Channels = readonly [number, number, number]

/** Three numbers, one a colour channel. */
export function perChannel(o: Range & { default: Channels }): Field<Channels>
export function perChannel(o: Range & { default: null; meaning: string }): Field<Channels | null>
export function perChannel(o: Range & Default<Channels>): Field<Channels | null> {
  const one = within(z.number(), o)
  return field({ schema: z.tuple([one, one, one]).readonly(), kind: 'list', expects: `three numbers, ${rangeText('each', o)}` }, o)
}
