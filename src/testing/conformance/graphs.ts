/**
 * Random graphs: a whole graph is put in as one lot, worked off in a random order with random ends,
 * while an operator cancels, deletes and retries. After every step each job stands as a small model
 * says, which knows only the rules and nothing of how a store keeps them.
 */
import assert from 'node:assert/strict'
import type { Claimed } from '../../job/claim.js'
import type { Encoded } from '../../job/codec.js'
import type { FinalState } from '../../job/job.js'
import type { NewJob, ParentPolicy } from '../../job/lot.js'
import { cancelFor, completeWith, discardAs, json, RELEASE, upTo } from './build.js'
import { Dice } from './dice.js'
import type { Group, Laws } from './law.js'
import type { PlayedNode } from './played-node.js'
import type { Rig } from './rig.js'

const GRAPHS = 25
const LARGEST = 24

type Standing = 'waiting' | 'available' | 'running' | FinalState

interface Modelled {
  readonly policy: ParentPolicy
  readonly after: readonly string[]
  readonly waived: Set<string>
  standing: Standing
  result: Encoded | null
  isDeleted: boolean
}

/** The rules, run to their end after every change. */
class Model {
  readonly jobs = new Map<string, Modelled>()
  /** What fell with its parents since this was last read. */
  fallen: string[] = []

  constructor(lot: readonly NewJob[]) {
    for (const { id, after, onParentFailed: policy } of lot) {
      const fresh = { waived: new Set<string>(), result: null, isDeleted: false }
      const named = after.map((ref) => ref.id)
      this.jobs.set(id, { policy, after: named, standing: 'waiting', ...fresh })
    }
    this.settle()
  }

  get(id: string): Modelled {
    const job = this.jobs.get(id)
    assert.ok(job !== undefined)
    return job
  }

  ids(...standings: readonly Standing[]): string[] {
    return [...this.jobs].flatMap(([id, { standing, isDeleted }]) =>
      !isDeleted && standings.includes(standing) ? [id] : [],
    )
  }

  end(id: string, standing: Standing, result: Encoded | null = null): void {
    Object.assign(this.get(id), { standing, result })
    this.settle()
  }

  /** Whether an operator's retry does anything. */
  retry(id: string): boolean {
    const job = this.get(id)
    const isFinal = hasFailed(job)
    const isStuck = job.standing === 'waiting' && !this.#unfinished(job)
    if (!isFinal && !isStuck) return false
    for (const parent of job.after) if (hasFailed(this.get(parent))) job.waived.add(parent)
    if (isFinal) for (const other of this.jobs.values()) other.waived.delete(id)
    job.standing = 'waiting'
    this.settle()
    return true
  }

  settle(): void {
    for (let changed = true; changed;) {
      changed = false
      for (const [id, job] of this.jobs) {
        if (job.standing !== 'waiting') continue
        const next = this.#next(job)
        if (next === 'waiting') continue
        job.standing = next
        if (next === 'discarded') this.fallen.push(id)
        changed = true
      }
    }
  }

  #next(job: Modelled): 'waiting' | 'available' | 'discarded' {
    const failed = job.after.some((id) => hasFailed(this.get(id)) && !job.waived.has(id))
    if (failed && job.policy === 'discard') return 'discarded'
    if (this.#unfinished(job)) return 'waiting'
    return failed && job.policy === 'wait' ? 'waiting' : 'available'
  }

  #unfinished(job: Modelled): boolean {
    const ended = (id: string): boolean => {
      const parent = this.get(id)
      return parent.standing === 'completed' || hasFailed(parent)
    }
    return !job.after.every(ended)
  }
}

function hasFailed({ standing }: Modelled): boolean {
  return standing === 'cancelled' || standing === 'discarded'
}

/** A lot in which nobody waits in a circle, in an order that says nothing. */
function throwGraph(rig: Rig, dice: Dice): NewJob[] {
  const jobs: NewJob[] = []
  for (const _ of upTo(1 + dice.below(LARGEST))) {
    const after = jobs.filter(() => dice.maybe(0.15)).map(({ queue, id }) => ({ queue, id }))
    const queue = dice.pick(['q', 'q', 'r'])
    const onParentFailed = dice.pick(['wait', 'discard', 'run'] as const)
    jobs.push(rig.job({ queue, after, onParentFailed }))
  }
  const shuffled: NewJob[] = []
  while (jobs.length > 0) shuffled.push(...jobs.splice(dice.below(jobs.length), 1))
  return shuffled
}

class Play {
  readonly #rig: Rig
  readonly #dice: Dice
  readonly #node: PlayedNode
  readonly #model: Model
  readonly #queues: ReadonlyMap<string, string>
  readonly #held = new Map<string, Claimed>()
  #letters = 0

  constructor(rig: Rig, dice: Dice, node: PlayedNode, lot: readonly NewJob[]) {
    this.#rig = rig
    this.#dice = dice
    this.#node = node
    this.#model = new Model(lot)
    this.#queues = new Map(lot.map(({ queue, id }) => [id, queue]))
  }

  get isOver(): boolean {
    return this.#model.ids('available', 'running').length === 0
  }

  async step(): Promise<void> {
    await this.#dice.choose<() => Promise<void>>([
      [4, () => this.#claim()],
      [6, () => this.#settle()],
      [2, () => this.#operate()],
    ])()
    await this.look()
  }

  /** Each job stands, and sees its parents, as the model says. */
  async look(): Promise<void> {
    for (const [id, job] of this.#model.jobs) {
      const ref = this.#ref(id)
      const state = await this.#rig.stateOf(ref)
      const isGone = state === 'gone' || state === 'receipt'
      if (isGone) assert.ok(job.isDeleted || job.standing === 'completed', `${id} is ${state}`)
      else assert.equal(state, job.standing, id)
      if (isGone) continue
      const rows = job.after.map((parent) => {
        const { standing, result } = this.#model.get(parent)
        return { ...this.#ref(parent), state: standing, result }
      })
      assert.deepEqual(await this.#rig.store.parents(ref), rows, `parents of ${id}`)
    }
  }

  async #claim(): Promise<void> {
    const queue = this.#dice.pick(['q', 'r'])
    const limit = this.#dice.pick([1, 1, 5])
    const ready = this.#model.ids('available').filter((id) => this.#ref(id).queue === queue)
    const { jobs } = await this.#node.claim({ queue, limit })
    assert.equal(jobs.length, Math.min(limit, ready.length), 'all that is ready can be had')
    for (const job of jobs) {
      assert.ok(ready.includes(job.id), `${job.id} may run`)
      this.#held.set(job.id, job)
      this.#model.end(job.id, 'running')
    }
  }

  async #settle(): Promise<void> {
    if (this.#held.size === 0) return this.#claim()
    const [id, held] = this.#dice.pick([...this.#held])
    this.#held.delete(id)
    const result = json({ of: id })
    const [verdict, standing] = this.#dice.choose([
      [5, [completeWith({ of: id }), 'completed'] as const],
      [1, [cancelFor(null), 'cancelled'] as const],
      [2, [discardAs(`letter-${++this.#letters}`), 'discarded'] as const],
      [1, [RELEASE, 'available'] as const],
    ])
    const settle = [{ queue: held.queue, id, token: held.token, verdict, ran: null }]
    const answer = await this.#rig.store.exchange({ node: this.#node.id, settle, claim: [] })
    this.#model.end(id, standing, standing === 'completed' ? result : null)
    this.#fell(answer.happened ?? [])
  }

  async #operate(): Promise<void> {
    const kind = this.#dice.pick(['cancel', 'delete', 'retry', 'retry'] as const)
    const live = this.#model.ids('waiting', 'available', 'cancelled', 'discarded')
    if (live.length === 0) return
    const id = this.#dice.pick(live)
    const which = { ids: [id] }
    const { queue } = this.#ref(id)
    const command = kind === 'cancel' ? { kind, reason: null } : { kind }
    const done = await this.#rig.control({ ...command, queue, which })
    const job = this.#model.get(id)
    if (kind === 'retry') {
      assert.equal(done.changed === 1, this.#model.retry(id), `retry of ${id}`)
    } else if (kind === 'delete') {
      job.isDeleted = true
      if (!hasFailed(job)) this.#model.end(id, 'cancelled')
    } else if (!hasFailed(job)) {
      this.#model.end(id, 'cancelled')
    }
    this.#fell(done.happened)
  }

  #fell(happened: readonly { readonly kind: string; readonly id: string }[]): void {
    const told = happened.filter(({ kind }) => kind === 'parent-failed').map(({ id }) => id)
    assert.deepEqual(told.sort(), this.#model.fallen.sort(), 'what falls is told')
    this.#model.fallen = []
  }

  #ref(id: string) {
    return { queue: this.#queues.get(id) ?? '', id }
  }
}

const laws: Laws = {
  'a random graph, worked off and meddled with, stands as the rules say after every step': async (
    rig,
  ) => {
    const dice = new Dice(20_260_102)
    const node = await rig.node()
    for (const _ of upTo(rig.long(GRAPHS))) {
      const lot = throwGraph(rig, dice)
      await rig.insert(lot)
      const play = new Play(rig, dice, node, lot)
      await play.look()
      for (let step = 0; step < 200 && !play.isOver; step++) await play.step()
      for (const queue of ['q', 'r']) await rig.control({ kind: 'delete', queue, which: {} })
      await node.drain()
      await node.drain({ queue: 'r' })
    }
  },
}

export const graphs: Group = { title: 'graphs of jobs', laws }
