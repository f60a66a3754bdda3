import { constants } from 'node:os'
import { inspect } from 'node:util'
import { CommanderError } from 'commander'
import { CaeError } from '../errors.js'

/** Why a command was stopped from outside. */
class Interrupted extends Error {
  constructor(
    readonly signal: NodeJS.Signals,
    after: string,
  ) {
    super(`stopped by ${signal}; ${after}`)
  }
}

/**
 * Runs a command to its end and sets the process's exit status: 0 done, 1 a bug, 2 usage or configuration, 3 data, 4 environment, 5 diverged,
 * 6 checkpoint, 128 + n after a signal.
 */
export async function runToExit(work: () => Promise<unknown>): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error
    process.exit(0) // whoever read our output, `head` for example, has enough
  })
  let isTerminalGone = false
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error // a terminal that was closed is no reason to lose work
    isTerminalGone ||= error.code === 'EIO'
  })
  process.on('uncaughtException', (error) => process.exit(report(error))) // a rejection that nobody awaits comes here too
  try {
    await work()
  } catch (error) {
    process.exitCode = report(error)
    // Node aborts when it cannot set back a terminal that was closed (20 to 24): the signal itself ends the process with the same status.
    if (isTerminalGone && error instanceof Interrupted) process.kill(process.pid, error.signal)
  }
}

/** Nobody is at the other end of a pipe, or of a terminal, any more. */
function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

/**
 * Gives `work` a signal that the first SIGINT, SIGTERM or SIGHUP aborts, so that it can end in order; a second one leaves at once. A reader of
 * our output that has gone ends it in order too, as SIGPIPE.
 * @param said.ending what is still being done after the first
 * @param said.after how things stand, or what to do, when that has ended
 */
export async function interruptible<T>(
  said: { readonly ending: string; readonly after: string },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(exitStatus(signal))
    process.stderr.write(`\n${signal}: ${said.ending}; once more to leave at once\n`)
    controller.abort(new Interrupted(signal, said.after))
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, stop)
  const usual = process.stdout.listeners('error') as ((error: Error) => void)[]
  process.stdout.removeAllListeners('error').on('error', (error: NodeJS.ErrnoException) => {
    if (!isGone(error)) throw error
    if (!controller.signal.aborted) stop('SIGPIPE')
  })
  try {
    return await work(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, stop)
    process.stdout.removeAllListeners('error')
    for (const listener of usual) process.stdout.on('error', listener)
  }
}

/**
 * Lets a batch system ask for something in the middle of a job: calls `wish` at each SIGUSR1 and SIGUSR2 where Slurm runs this process
 * (SLURM_JOB_ID), for as long as `work` takes. Elsewhere they keep their meaning: Node's debugger, and the end of the process.
 */
export async function withJobSignals<T>(wish: (signal: NodeJS.Signals) => void, work: () => Promise<T>): Promise<T> {
  const signals = process.env.SLURM_JOB_ID === undefined ? [] : (['SIGUSR1', 'SIGUSR2'] as const)
  for (const signal of signals) process.on(signal, wish)
  try {
    return await work()
  } finally {
    for (const signal of signals) process.off(signal, wish)
  }
}

/** Tells an error on standard error; its exit status. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return reportUsage(error)
  if (error instanceof Interrupted) {
    process.stderr.write(`${error.message}\n`)
    return exitStatus(error.signal)
  }
  const isKnown = error instanceof CaeError && error.code !== 'ERR_CAE_INTERNAL'
  const message = error instanceof Error ? error.message : String(error)
  say(isKnown ? message : `${message}\n  at: @cae/torch itself; this is a bug\n  try: run again with DEBUG=1 and report what it prints`)
  if (process.env.DEBUG) process.stderr.write(`${inspect(error)}\n`)
  return error instanceof CaeError ? error.exitCode : 1
}

/** Commander's own complaints: an unknown command or flag, a missing argument. Help and version end here too. */
function reportUsage({ exitCode, code, message }: CommanderError): number {
  if (exitCode === 0) return 0
  if (code === 'commander.help') return 2 // it has shown what commands there are
  const [what = '', hint] = message.replace(/^error: /, '').split('\n')
  const near = /\(Did you mean (?:one of )?(.*)\?\)/.exec(hint ?? '')?.[1]
  say(`${what}\n  try: ${near ?? 'the same with --help'}`)
  return 2
}

function say(text: string): void {
  const mark = process.stderr.isTTY && process.stderr.hasColors() ? '\x1b[31merror:\x1b[0m' : 'error:'
  process.stderr.write(`${mark} ${text}\n`)
}

function exitStatus(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
