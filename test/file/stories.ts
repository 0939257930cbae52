// Lives of a store, told call by call, in which every operation of the seam occurs. Each call says
// first what it may bring about, and after its answer what was promised; wherever the power goes,
// what was promised until then is known.
import { QUEUE, json, newJob, ranFor } from '../../src/testing/conformance/build.js'
import type { JobWords } from '../../src/testing/conformance/build.js'
import { cardOf, LEASE, PlayedNode } from '../../src/testing/conformance/played-node.js'
import type { Claimed } from '../../src/job/claim.js'
import type { JobRef } from '../../src/job/job.js'
import type { SettingsLayer } from '../../src/job/settings.js'
import type { Verdict } from '../../src/job/verdict.js'
import type { Command, Store } from '../../src/store.js'
import type { Process } from './machine.js'
import { quiet } from './machine.js'
import { ABSENT } from './promises.js'
import type { Promises, Situation } from './promises.js'

export interface Stage {
  readonly promises: Promises
  /** Milliseconds of the machine. */
  pass(ms: number): void
  /** One more process, opened. */
  open(): Promise<Process>
  /** The operation that begins now, for whoever counts. */
  says(operation: string): void
}

export type Story = (stage: Stage) => Promise<void>

export const STORIES: Readonly<Record<string, Story>> = {
  'one life': async (stage) => {
    const actor = await Actor.enter(stage, 'a')
    await insertAll(actor)
    await settleAll(actor)
    await operate(actor)
    await actor.close()
    stage.says('open again')
    const again = await Actor.enter(stage, 'b')
    await again.insert('last')
    await again.close()
  },

  'workers that are lost': async (stage) => {
    const [lost, other] = [await Actor.enter(stage, 'a'), await Actor.enter(stage, 'b')]
    await other.declare('graves', { deadLetter: 'grave' })
    await other.insert('held')
    await other.insert('once', { attempts: 1 })
    await other.insert('buried', { attempts: 1, queue: 'graves' })
    await lost.take('held')
    await lost.take('once')
    await lost.take('buried', 'graves')
    stage.pass(LEASE + 1)
    await other.sweep()
    const held = await other.take('held', QUEUE, 2)
    await other.settle(held, { kind: 'complete', result: json('at last') }, 'receipt completed')
    await other.close()
  },

  'two at once': async (stage) => {
    const [a, b] = [await Actor.enter(stage, 'a'), await Actor.enter(stage, 'b')]
    for (const [at, actor] of [a, b, a, b, a].entries()) {
      await actor.insert(`job-${at}`)
      const held = await (actor === a ? b : a).take(`job-${at}`)
      await (actor === a ? b : a).settle(held, { kind: 'retry', delay: 0 }, words(1, held.id))
    }
    stage.says('many at once')
    const together = ['x', 'y', 'z'].map((id) =>
      [a, b].map((actor) => actor.insert(`${id}${actor.name}`)),
    )
    await Promise.all(together.flat())
    await a.close()
    await b.close()
  },

  'long enough to be compacted': async (stage) => {
    const actor = await Actor.enter(stage, 'a')
    await actor.insert('kept')
    await actor.insert('retried')
    const retried = await actor.take('retried')
    await actor.settle(retried, { kind: 'retry', delay: 0 }, words(1, 'retried'))
    for (let at = 0; at < 10; at++) {
      const id = `passing-${at}`
      await actor.insert(id, { meta: json('x'.repeat(300)) })
      const held = await actor.take(id)
      await actor.settle(held, { kind: 'complete', result: null }, ABSENT)
    }
    await actor.close()
    stage.says('open again')
    const again = await Actor.enter(stage, 'b')
    await again.insert('last')
    await again.close()
  },
}

async function insertAll(actor: Actor): Promise<void> {
  await actor.insert('plain')
  await actor.insertLots([['lot-1', 'lot-2', 'lot-3']])
  await actor.insertLots([['bulk-1', 'bulk-2'], ['bulk-3']])
  await actor.insertUnique('key', ['first', 'second'])
  await actor.insert('late', { delay: 60_000 })
  await actor.insert('plain') // again: a duplicate changes nothing
}

async function settleAll(actor: Actor): Promise<void> {
  await actor.declare('graves', { deadLetter: 'grave' })
  const endings: readonly (readonly [string, Verdict, (id: string) => Situation])[] = [
    ['done', { kind: 'complete', result: null }, () => ABSENT],
    ['answered', { kind: 'complete', result: json(42) }, () => 'receipt completed'],
    ['retried', { kind: 'retry', delay: 1_000 }, (id) => words(1, id)],
    ['snoozed', { kind: 'snooze', delay: 1_000 }, (id) => words(0, id)],
    ['released', { kind: 'release' }, (id) => words(0, id)],
    ['cancelled', { kind: 'cancel', reason: 'no' }, (id) => words(1, id, 'cancelled')],
    ['discarded', discard('unused'), (id) => words(1, id, 'discarded')],
  ]
  for (const [id, verdict, situation] of endings) {
    await actor.insert(id)
    const held = await actor.take(id)
    if (id !== 'retried') {
      await actor.settle(held, verdict, situation(id))
      continue
    }
    await actor.note(held)
    actor.promises.may(held, situation(id)) // the note may be lost, and the verdict not
    await actor.settle(held, verdict, `${situation(id)} at 0.5`)
  }
  await actor.insert('buried', { queue: 'graves' })
  const buried = await actor.take('buried', 'graves')
  actor.promises.may({ queue: 'grave', id: 'bones' }, words(0, 'buried'))
  await actor.settle(buried, discard('bones'), 'receipt discarded → grave/bones')
}

async function operate(actor: Actor): Promise<void> {
  await actor.beat()
  await actor.command(one('cancel', 'plain'), { plain: words(0, 'plain', 'cancelled') })
  await actor.command(one('retry', 'discarded'), { discarded: words(0, 'discarded') })
  await actor.command(one('delete', 'late'), { late: 'receipt cancelled' })
  await actor.command(
    { kind: 'update', queue: QUEUE, id: 'snoozed', change: { payload: json('new') } },
    { snoozed: `waits 0 ${json('new').text}` },
  )
  await actor.override('graves', { attempts: 7 })
  await actor.sweep()
}

function one(kind: 'cancel' | 'retry' | 'delete', id: string): Command {
  const aim = { queue: QUEUE, which: { ids: [id] } }
  return kind === 'cancel' ? { kind, ...aim, reason: 'enough' } : { kind, ...aim }
}

function discard(deadId: string): Verdict {
  return { kind: 'discard', reason: 'given-up', message: 'hopeless', deadId }
}

/** A job with the payload that the stories give it. */
export function words(attempt: number, id: string, state = 'waits'): Situation {
  return `${state} ${attempt} ${json({ of: id }).text}`
}

/** A process in a story, with a node that holds jobs. */
export class Actor {
  readonly name: string
  readonly promises: Promises
  readonly #stage: Stage
  readonly #process: Process
  readonly #node: PlayedNode

  private constructor(stage: Stage, name: string, process: Process, node: PlayedNode) {
    this.name = name
    this.promises = stage.promises
    this.#stage = stage
    this.#process = process
    this.#node = node
  }

  static async enter(stage: Stage, name: string): Promise<Actor> {
    stage.says('open')
    const process = await stage.open()
    const node = await PlayedNode.enlist(process.store, cardOf(`node-${name}`))
    return new Actor(stage, name, process, node)
  }

  get store(): Store {
    return this.#process.store
  }

  async insert(id: string, given: JobWords = {}): Promise<void> {
    const job = newJob(id, { task: id, ...given })
    this.#stage.says('insert')
    this.promises.may(job, `waits 0 ${job.payload.text}`)
    await this.#promised(this.store.insert([{ jobs: [job] }]))
  }

  async insertLots(lots: readonly (readonly string[])[]): Promise<void> {
    this.#stage.says('bulk')
    const made = lots.map((ids) => ({ jobs: ids.map((id) => newJob(id, { task: id })) }))
    for (const { jobs } of made) {
      this.promises.mayLot(jobs)
      for (const job of jobs) this.promises.may(job, words(0, job.id))
    }
    await this.#promised(this.store.insert(made))
  }

  /** The first gets the key, and the others find it held. */
  async insertUnique(key: string, ids: readonly string[]): Promise<void> {
    this.promises.key(QUEUE, ids)
    for (const [at, id] of ids.entries()) {
      this.#stage.says('unique')
      const unique = { key, while: 'unfinished', for: 0, onConflict: 'keep' } as const
      this.promises.may({ queue: QUEUE, id }, at === 0 ? words(0, id) : ABSENT)
      await this.#promised(this.store.insert([{ jobs: [newJob(id, { task: id, unique })] }]))
    }
  }

  /** Answered without a sync: until something else is, it may be forgotten by a power cut. */
  async take(id: string, queue = QUEUE, attempt = 1): Promise<Claimed> {
    this.#stage.says('claim')
    this.promises.may({ queue, id }, words(attempt, id, 'running'))
    const held = await this.#node.take({ queue, tasks: [id] })
    await quiet()
    return held
  }

  async note(held: Claimed): Promise<void> {
    this.#stage.says('note')
    this.promises.may(held, `${words(1, held.id, 'running')} at 0.5`)
    await this.store.note([
      { queue: held.queue, id: held.id, token: held.token, progress: 0.5, log: ['half'] },
    ])
    await quiet()
  }

  async settle(held: Claimed, verdict: Verdict, situation: Situation): Promise<void> {
    this.#stage.says(`settle ${verdict.kind}`)
    this.promises.may(held, situation)
    await this.#promised(this.#node.settle(held, verdict, ranFor(verdict)))
  }

  async beat(): Promise<void> {
    this.#stage.says('beat')
    await this.#node.beat()
    await quiet()
  }

  /** Of the jobs of workers that are gone, those of the story "workers that are lost". */
  async sweep(): Promise<void> {
    this.#stage.says('sweep')
    const lost: readonly (readonly [JobRef, Situation])[] = [
      [{ queue: QUEUE, id: 'held' }, words(1, 'held')],
      [{ queue: QUEUE, id: 'once' }, words(1, 'once', 'discarded')],
    ]
    for (const [ref, situation] of lost) {
      const [found] = await this.store.get([ref])
      if (found?.kind === 'job' && found.job.state === 'running') this.promises.may(ref, situation)
    }
    const [buried] = await this.store.get([{ queue: 'graves', id: 'buried' }])
    const isHeld = buried?.kind === 'job' && buried.job.state === 'running'
    if (isHeld) this.#promiseBurial()
    await this.#promised(this.#node.sweep())
  }

  /** Its id as a dead letter is the store's own; it is found by looking. */
  #promiseBurial(): void {
    this.promises.may({ queue: 'graves', id: 'buried' }, 'receipt discarded → grave/*')
  }

  async command(command: Command, becomes: Readonly<Record<string, Situation>>): Promise<void> {
    this.#stage.says(command.kind)
    for (const [id, situation] of Object.entries(becomes)) {
      this.promises.may({ queue: QUEUE, id }, situation)
    }
    await this.#promised(this.store.control(command, null))
  }

  async declare(queue: string, declared: SettingsLayer): Promise<void> {
    this.#stage.says('declare')
    this.promises.maySettings(queue, { declared, overrides: {} })
    await this.#promised(this.store.declare(queue, declared))
  }

  async override(queue: string, change: SettingsLayer): Promise<void> {
    this.#stage.says('override')
    const { declared } = await this.store.settings(queue)
    this.promises.maySettings(queue, { declared, overrides: change })
    await this.#promised(this.store.override(queue, { say: change, takeBack: [] }))
  }

  async close(): Promise<void> {
    this.#stage.says('close')
    await this.#promised(this.store.close())
  }

  /** The answer was durable, and so is all that was answered before. */
  async #promised(call: Promise<unknown>): Promise<void> {
    const until = this.promises.begun
    await call
    this.promises.kept(until)
    await quiet()
  }
}
