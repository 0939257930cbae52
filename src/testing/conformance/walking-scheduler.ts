/**
 * The scheduler of a random walk: declares, pauses, resumes and removes schedules as the dice fall,
 * on whatever handle, and fires what is due as an engine would. Promises to notice a slot that fires
 * twice or after a later one, whatever was changed between; the jobs of slots go into the accounts.
 */
import assert from 'node:assert/strict'
import type { Instant } from '../../job/job.js'
import type { Plan, Planned, ScheduleChange, ScheduleRow } from '../../job/schedule.js'
import { nextSlot, timingOf } from '../../job/slots.js'
import type { Store } from '../../store.js'
import { json, newJob } from './build.js'
import type { Dice } from './dice.js'
import type { Ledger } from './ledger.js'
import { PlayedScheduler, specOf } from './played-scheduler.js'
import type { Tale } from './tale.js'

const PLANS: readonly Plan[] = [
  { kind: 'every', span: 4_000 },
  { kind: 'every', span: 11_000 },
  { kind: 'cron', line: '* * * * *', timeZone: 'UTC' },
]

export class WalkingScheduler {
  readonly #dice: Dice
  readonly #groups: readonly string[]
  readonly #ledger: Ledger
  readonly #tale: Tale
  /** The last slot that brought a job, by queue and schedule. */
  readonly #fired = new Map<string, Instant>()

  /** `groups`: those that the walk throws jobs into. */
  constructor(dice: Dice, groups: readonly string[], ledger: Ledger, tale: Tale) {
    this.#dice = dice
    this.#groups = groups
    this.#ledger = ledger
    this.#tale = tale
  }

  /** One schedule is said anew, paused, resumed or removed, seen through this handle. */
  async change(store: Store, now: Instant): Promise<void> {
    const scheduler = new PlayedScheduler(store)
    const queue = this.#dice.pick(['a', 'b'])
    const name = this.#dice.pick(['s', 't'])
    const rows = await scheduler.rows()
    const row = rows.find((one) => one.queue === queue && one.name === name)
    const change = this.#throw({ queue, name }, row, now)
    let planned = await store.plan(change)
    // One that was removed is remembered for a while: what comes next must come after its last slot.
    if (planned.status === 'stale' && change.kind === 'put') {
      const { revision, after } = planned
      const next = nextSlot(timingOf(queue, name, change.spec), Math.max(now, after ?? now))
      planned = await store.plan({ ...change, revision, next })
    }
    assert.equal(planned.status, 'done', `${change.kind} of ${queue}/${name} takes effect`)
    this.#tale.tell('schedule', change.kind, queue, name, told(planned))
  }

  /** What is due fires, seen through this handle. */
  async fire(store: Store): Promise<void> {
    const fired: unknown[] = []
    for (const [tick, answer] of await new PlayedScheduler(store).fire()) {
      fired.push([tick.queue, tick.name, tick.slot, answer.status])
      if (answer.status !== 'fired') continue
      const schedule = `${tick.queue}/${tick.name}`
      const before = this.#fired.get(schedule) ?? -Infinity
      const slot = tick.run?.slot.at ?? tick.slot
      assert.ok(slot > before, `${schedule}: slot ${slot} comes after ${before}, and once`)
      this.#fired.set(schedule, slot)
      this.#ledger.inserted({ queue: tick.queue, id: this.#tale.own(answer.id) }, false)
    }
    this.#tale.tell('fire', fired)
  }

  #throw(
    of: { readonly queue: string; readonly name: string },
    row: ScheduleRow | undefined,
    now: Instant,
  ): ScheduleChange {
    if (row !== undefined && this.#dice.maybe(0.6)) {
      const kind = this.#dice.pick(['pause', 'resume', 'remove'] as const)
      if (kind !== 'resume') return { kind, ...of }
      const next = nextSlot(timingOf(of.queue, of.name, row.spec), now)
      return { kind, ...of, revision: row.revision, next }
    }
    const spec = specOf({
      plan: this.#dice.pick(PLANS),
      missed: this.#dice.pick(['skip', 'once', 'all'] as const),
      overlap: this.#dice.pick(['skip', 'queue'] as const),
      job: newJob('', {
        queue: of.queue,
        ownId: true,
        task: this.#dice.pick(['t', 'u']),
        payload: json(of.name),
        group: this.#dice.pick(this.#groups),
      }),
    })
    const next = nextSlot(timingOf(of.queue, of.name, spec), now)
    return { kind: 'put', ...of, revision: row?.revision ?? 0, spec, next }
  }
}

function told(planned: Planned): unknown {
  return planned.status === 'done' ? [planned.changed, planned.revision] : planned.status
}
