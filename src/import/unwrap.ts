/** A state dict taken out of its wrappers. */
export interface Unwrapped {
  /** Where the state dict lay: `model`, `state_dict.module`; empty for a bare one. */
  readonly container: string
  /** Plain name -> name in the file. */
  readonly names: ReadonlyMap<string, string>
  /** Names of the file outside the state dict: an optimizer's, a second network's. */
  readonly outside: readonly string[]
}

/** Keys that training scripts put the weights under, in the order in which they are tried (spec/baselines.md 8.1). */
const containers = ['model', 'state_dict', 'module', 'teacher', 'student', 'model_ema', 'weights']

/** Names that are no weights in any of the files: indices, counters. */
const bookkeeping = /(^|\.)(relative_position_index|num_batches_tracked|_metadata|position_ids)$/

/** Takes the weights out of what a training script wrote around them; names are dotted paths through the file. */
export function unwrap(fileNames: Iterable<string>): Unwrapped {
  let names = new Map([...fileNames].filter((name) => !bookkeeping.test(name)).map((name) => [name, name]))
  const outside: string[] = []
  const container: string[] = []
  for (let found = containerOf(names); found !== undefined; found = containerOf(names)) {
    const prefix = `${found}.`
    outside.push(...[...names].filter(([name]) => !name.startsWith(prefix)).map(([, original]) => original))
    names = new Map([...names].filter(([name]) => name.startsWith(prefix)).map(([name, original]) => [name.slice(prefix.length), original]))
    container.push(found)
  }
  return { container: container.join('.'), names, outside }
}

function containerOf(names: ReadonlyMap<string, string>): string | undefined {
  const heads = new Set([...names.keys()].filter((name) => name.includes('.')).map((name) => name.slice(0, name.indexOf('.'))))
  // A model may have a part of such a name itself: CAE calls the copy of its encoder `teacher`.
  if (heads.has('encoder') || heads.has('backbone') || heads.has('patch_embed')) return undefined
  return containers.find((name) => heads.has(name))
}
