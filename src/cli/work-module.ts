/**
 * A module with handlers, as `millrace work` runs it: its default export is a handler, or an array
 * of `task.handle(…)`; it may also export `queue`, the name of the queue that they are for.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { invalid, name } from '../job/check.js'
import type { Handler } from '../perform.js'
import type { TaskHandler } from '../task.js'

export interface Workload {
  readonly queue: string
  readonly handlers: Handler | readonly TaskHandler[]
}

/** Loads it. What the module itself throws travels on as it is: its stack is what helps. */
export async function loadWorkload(
  path: string,
  { here, queue }: { readonly here: string; readonly queue: string | undefined },
): Promise<Workload> {
  const file = resolve(here, path)
  if (!existsSync(file)) {
    const remedy = 'give the path of a module whose default export is a handler'
    throw invalid('work <module>', 'a file', path, remedy)
  }
  const module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>> // as: a module is a record of its exports
  return { queue: queueOf(module, path, queue), handlers: handlersOf(module, path) }
}

function queueOf(
  module: Readonly<Record<string, unknown>>,
  path: string,
  asked: string | undefined,
): string {
  if (asked !== undefined) return name(asked, '--queue')
  if (module.queue !== undefined) return name(module.queue, `export queue of ${path}`)
  const remedy = "say --queue <name>, or write `export const queue = '…'` in the module"
  throw invalid('--queue', 'the queue to work on', undefined, remedy)
}

function handlersOf(
  module: Readonly<Record<string, unknown>>,
  path: string,
): Handler | readonly TaskHandler[] {
  const given = module.default
  if (typeof given === 'function') return given as Handler // as: what it does with a job is its own affair
  if (Array.isArray(given)) return given as readonly TaskHandler[] // as: `mill.work` looks at each
  const remedy = 'write `export default async function (payload, job) { … }`'
  throw invalid(
    `export default of ${path}`,
    'a handler, or an array of task.handle(…)',
    given,
    remedy,
  )
}
