import { knnTask } from './knn.js'
import { linearTask } from './linear.js'
import type { EvalResult, EvalTask } from './task.js'

/** Every evaluation, by its name. */
export const evalTasks = { knn: knnTask, linear: linearTask } as const

type Tasks = typeof evalTasks

/** Name of an evaluation. */
export type EvalTaskName = keyof Tasks

/** The options of an evaluation. */
export type EvalFields<Name extends EvalTaskName> = Tasks[Name]['fields']

/** What an evaluation tells. */
export type EvalResultOf<Name extends EvalTaskName> = Awaited<ReturnType<Tasks[Name]['run']>>

/** The evaluations for code that does not know which it has: their types follow from their names. */
export type EvalTasks = {
  readonly [Name in EvalTaskName]: EvalTask<Name, EvalFields<Name>, EvalResultOf<Name> & EvalResult & { readonly task: Name }>
}
