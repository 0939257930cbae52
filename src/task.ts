/**
 * Tasks: a contract that producers import without the handler, and the handler that fulfils it.
 * Promises that payload and result are typed by the task from end to end, and that a task without
 * its handler cannot be given to a worker.
 */
import { name, onlyKnown, record, invalid } from './job/check.js'
import { PLAIN_TERMS, termsOf } from './job/options.js'
import type { JobOptions } from './job/options.js'
import { schemaOf } from './job/schema.js'
import type { InputOf, OutputOf, Schema } from './job/schema.js'
import type { Duty, Handler } from './perform.js'
import type { Aim } from './queue/produce.js'
import type { RunningJob } from './job-face.js'

/** Never exported and never made: carries types for the compiler, and keeps tasks from being handlers. */
declare const types: unique symbol

export interface TaskOptions extends Pick<
  JobOptions,
  'attempts' | 'timeout' | 'priority' | 'expiresIn' | 'tags'
> {
  readonly queue: string
}

/** What a producer needs of a task. */
export interface TaskRef<In = unknown, R = unknown> {
  readonly name: string
  readonly queue: string
  readonly [types]?: (input: In) => R
}

/** A contract; type parameters as in `Queue`. */
export interface Task<P = unknown, R = unknown, In = P, Ret = R> extends TaskRef<In, R> {
  /** `S` types `job.commit`; without it, it is checked at run time. */
  handle<S extends string = string>(handler: Handler<P, Ret, S>): TaskHandler<S>
}

/** A task with its handler: what `mill.work` takes; a bare task is not one. */
export interface TaskHandler<in S extends string = string> {
  readonly task: string
  readonly [types]: (store: S) => void
}

/** With `input`, producers are typed by the schema's input, handlers by its output. */
export function defineTask<I extends Schema, O extends Schema = Schema>(
  name: string,
  options: TaskOptions & { readonly input: I; readonly output?: O },
): Task<OutputOf<I>, OutputOf<O>, InputOf<I>, InputOf<O>>
/** Without a schema the payload type is named: `defineTask<Payload, Result>(…)`. */
export function defineTask<P = never, R = unknown>(
  name: string,
  options: TaskOptions & ([P] extends [never] ? { readonly input: Schema } : {}),
): Task<P, R>
export function defineTask(taskName: string, options: unknown): Task {
  return new DefinedTask(taskName, options)
}

const OPTIONS = ['queue', 'input', 'output', 'attempts', 'timeout', 'priority', 'expiresIn', 'tags']

class DefinedTask implements Task {
  readonly name: string
  readonly queue: string
  readonly #aim: Aim
  readonly #output: Schema | null

  constructor(taskName: string, options: unknown) {
    this.name = name(taskName, 'defineTask name')
    const subject = `task(${JSON.stringify(this.name)})`
    const given = record(options, subject)
    onlyKnown(given, OPTIONS, subject)
    const { queue, input, output, ...terms } = given
    this.queue = name(queue, `${subject}.queue`)
    this.#output = schemaOf(output, `${subject}.output`)
    this.#aim = {
      queue: this.queue,
      task: this.name,
      base: termsOf(terms, PLAIN_TERMS, 'task', subject),
      input: schemaOf(input, `${subject}.input`),
      subject,
    }
  }

  handle(handler: unknown): TaskHandler {
    const subject = `${this.#aim.subject}.handle`
    return new HandledTask(this.name, dutyFor(handler, this.#aim.input, this.#output, subject)).face
  }

  static aimOf(task: object): Aim | null {
    return #aim in task ? task.#aim : null
  }
}

/** A handler as the runs call it, with the user's types taken off. */
export function dutyFor(
  handler: unknown,
  input: Schema | null,
  output: Schema | null,
  subject: string,
): Duty {
  if (typeof handler !== 'function') {
    throw invalid(subject, 'a function (payload, job) => result', handler, 'give the handler')
  }
  const handle = handler as (payload: unknown, job: RunningJob) => unknown // as: called as `Handler` says
  return { handle, input, output }
}

class HandledTask {
  readonly task: string
  readonly #duty: Duty

  constructor(task: string, duty: Duty) {
    this.task = task
    this.#duty = duty
  }

  get face(): TaskHandler {
    return this as unknown as TaskHandler // as: the symbol exists for the compiler alone
  }

  static dutyOf(value: unknown): Duty | null {
    return typeof value === 'object' && value !== null && #duty in value ? value.#duty : null
  }
}

/** Where a task's jobs go. A plain `{ name, queue }` will do: then nothing is checked. */
export function aimOf(task: unknown): Aim {
  const given = record(task, 'task')
  const defined = DefinedTask.aimOf(given)
  if (defined !== null) return defined
  const taskName = name(given.name, 'task.name')
  const subject = `task(${JSON.stringify(taskName)})`
  const queue = name(given.queue, `${subject}.queue`)
  return { queue, task: taskName, base: PLAIN_TERMS, input: null, subject }
}

/** What a worker of these tasks does. */
export function dutiesOf(handlers: unknown): ReadonlyMap<string, Duty> {
  if (!Array.isArray(handlers)) {
    throw invalid('work handlers', 'an array of task.handle(…)', handlers, 'write [task.handle(…)]')
  }
  const given: readonly unknown[] = handlers
  const duties = new Map<string, Duty>()
  for (const [at, handler] of given.entries()) {
    const duty = HandledTask.dutyOf(handler)
    const path = `work handlers[${at}]`
    if (duty === null)
      throw invalid(path, 'a task with its handler', handler, 'call task.handle(…)')
    const { task } = handler as HandledTask // as: dutyOf has seen that it is one
    if (duties.has(task)) {
      throw invalid(path, 'each task once', task, 'remove one of its handlers')
    }
    duties.set(task, duty)
  }
  if (duties.size > 0) return duties
  throw invalid('work handlers', 'at least one task with its handler', handlers, 'give one')
}
