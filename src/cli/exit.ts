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
    if (error.code !== 'EPIPE') throw error
    process.exit(0) // whoever read our output, `head` for example, has enough
  })
  process.on('uncaughtException', (error) => process.exit(report(error))) // a rejection that nobody awaits comes here too
  try {
    await work()
  } catch (error) {
    process.exitCode = report(error)
  }
}

/**
 * Gives `work` a signal that the first SIGINT or SIGTERM aborts, so that it can end in order; a second one leaves at once.
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
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, stop)
  try {
    return await work(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, stop)
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
