import { knnTask } from './knn.js'
import { linearTask } from './linear.js'

/** Every evaluation, by its name. */
export const evalTasks = { knn: knnTask, linear: linearTask } as const

type Tasks = typeof evalTasks

/** Name of an evaluation. */
export type EvalTaskName = keyof Tasks

/** The options of an evaluation. */
export type EvalFields<Name extends EvalTaskName> = Tasks[Name]['fields']

/** What an evaluation tells. */
export type EvalResultOf<Name extends EvalTaskName> = Awaited<ReturnType<Tasks[Name]['run']>>
