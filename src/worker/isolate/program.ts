/**
 * The program of every isolate, thread or process: loads the user's module, then runs one job after
 * the other, by the very code that runs handlers in the worker's own process. Promises an answer to
 * every run that ends; how a run is made to end, and what follows from it, is the worker's.
 */
import { invalid } from '../../job/check.js'
import { millraceError } from '../../job/errors.js'
import type { Perform } from '../../engine/engine.js'
import { performer } from '../../perform.js'
import type { Duty } from '../../perform.js'
import { dutiesOf, dutyFor } from '../../task.js'
import { systemClock } from '../../time/system.js'
import { HeldInside } from './held-inside.js'
import { openLine } from './line.js'
import { toAnswer, toErrorText } from './wire.js'
import type { Handed, Order, Shape } from './wire.js'

const line = await openLine()
let perform: Perform | null = null
let current: { readonly run: number; readonly held: HeldInside } | null = null

process.on('uncaughtExceptionMonitor', (error) => {
  line.tell({ told: 'uncaught', error: toErrorText(error) })
})
line.listen((order) => void hear(order))

async function hear(order: Order): Promise<void> {
  switch (order.order) {
    case 'load':
      return load(order.module, order.shape)
    case 'run':
      return run(order.run, order.job)
    case 'cancel':
      if (current?.run === order.run) current.held.abort(millraceError(order.reason))
      return
    case 'parents':
      if (current?.run === order.run) current.held.toldParents(order.call, order)
      return
    case 'kept':
      if (current?.run === order.run) current.held.kept(order.call, order)
      return
    case 'end':
      process.exit(0)
  }
}

async function load(module: string, shape: Shape): Promise<void> {
  try {
    const loaded = (await import(module)) as { readonly default?: unknown } // as: any module may have one
    const duties = dutiesIn(plainDefault(loaded.default), shape)
    perform = performer(duties.of, { middlewares: [], committer: null })
    line.tell({ told: 'ready', tasks: duties.tasks })
  } catch (error) {
    line.tell({ told: 'unready', error: toErrorText(error) })
  }
}

/** A module that was compiled to CommonJS has its default export one step further in. */
function plainDefault(exported: unknown): unknown {
  const isCompiled = typeof exported === 'object' && exported !== null && '__esModule' in exported
  return isCompiled && 'default' in exported ? exported.default : exported
}

interface Duties {
  readonly tasks: readonly string[]
  readonly of: (task: string) => Duty
}

/** The input and output of a plain handler are checked by the queue's schemas, in the worker. */
function dutiesIn(exported: unknown, shape: Shape): Duties {
  if (shape === 'handler') {
    const duty = dutyFor(exported, null, null, 'default export')
    return { tasks: [], of: () => duty }
  }
  const duties = dutiesOf(exported)
  return { tasks: [...duties.keys()], of: (task) => duties.get(task) ?? unknown(task) }
}

/** The module is another one by now than when the worker learned its tasks. */
function unknown(task: string): Duty {
  const remedy = 'bring the task back into the module, or start the worker anew'
  const handle = (): never => {
    throw invalid('default export', `a handler for ${JSON.stringify(task)}`, undefined, remedy)
  }
  return { handle, input: null, output: null }
}

async function run(number: number, job: Handed): Promise<void> {
  if (perform === null) return // a worker hands out no job before `ready`
  const held = new HeldInside(job, systemClock, {
    notes: (notes) => line.tell({ told: 'notes', run: number, notes }),
    parents: (call) => line.tell({ told: 'parents', run: number, call }),
    step: (call, step) => line.tell({ told: 'step', run: number, call, step }),
  })
  current = { run: number, held }
  const asked = await perform(held)
  current = null
  held.end()
  line.tell({ told: 'answer', run: number, answer: toAnswer(asked) })
}
