/**
 * The history of schedules, and what every slot must answer for it: did it fire twice, early, beside
 * the plan, while the job of the one before was unfinished, or not at all though its policy says so?
 * Pure, as `gate-history.ts` is. A slot is a wall time; everything else is on the clock of the runs.
 */
import type { Instant, Millis } from '../job/job.js'
import type { Run } from './gate-history.js'

/** A run of a slot's job. `group`: the schedule; `place`: the slot. */
export interface SlotRun extends Run {
  /** What the wall's clock showed when it began. */
  readonly wall: Instant
  /** Its worker was killed, then or later. */
  readonly isWorkerKilled: boolean
}

/** One that fires at every multiple of its span. */
export interface SlotPlan {
  readonly name: string
  readonly span: Millis
  readonly missed: 'skip' | 'once' | 'all'
  readonly overlap: 'skip' | 'queue'
}

/** From when to when nobody lived who could fire. */
export interface Blackout {
  readonly from: Instant
  readonly to: Instant
}

export interface SlotReport {
  /** A sentence for each violation. */
  readonly faults: readonly string[]
  /** By schedule, how many slots had a job, and how many between them had none. */
  readonly fired: ReadonlyMap<string, number>
  readonly leftOut: ReadonlyMap<string, number>
}

export function judgeSlots(
  runs: readonly SlotRun[],
  plans: readonly SlotPlan[],
  blackouts: readonly Blackout[],
): SlotReport {
  const faults: string[] = []
  const fired = new Map<string, number>()
  const leftOut = new Map<string, number>()
  const names = new Set(plans.map(({ name }) => name))
  for (const { group, id } of runs) if (!names.has(group)) faults.push(`${id} is of no schedule`)
  for (const plan of plans) {
    const own = runs.filter(({ group }) => group === plan.name).sort((a, b) => a.from - b.from)
    const slots = bySlot(own)
    const missing = gapsOf([...slots.keys()], plan.span)
    fired.set(plan.name, slots.size)
    leftOut.set(plan.name, missing.length)
    for (const [slot, some] of slots) faults.push(...judgeSlot(plan, slot, some))
    if (plan.missed === 'all' && plan.overlap === 'queue') {
      for (const slot of missing) faults.push(`${plan.name}: slot ${slot} never fired`)
    }
    if (plan.overlap === 'skip') faults.push(...overlaps(plan, slots))
    for (const blackout of blackouts) faults.push(...inTheDark(plan, slots, blackout))
  }
  return { faults, fired, leftOut }
}

/** In the order of the slots. */
function bySlot(runs: readonly SlotRun[]): Map<Instant, SlotRun[]> {
  const slots = new Map<Instant, SlotRun[]>()
  for (const run of [...runs].sort((a, b) => a.place - b.place || a.from - b.from)) {
    const some = slots.get(run.place)
    if (some === undefined) slots.set(run.place, [run])
    else some.push(run)
  }
  return slots
}

function gapsOf(slots: readonly Instant[], span: Millis): Instant[] {
  const missing: Instant[] = []
  for (const [at, slot] of slots.slice(1).entries()) {
    for (let lost = slots[at] + span; lost < slot; lost += span) missing.push(lost)
  }
  return missing
}

/** One job, in its time, and a second run of it for a reason only. */
function judgeSlot({ name, span }: SlotPlan, slot: Instant, runs: readonly SlotRun[]): string[] {
  const faults: string[] = []
  const what = `${name}: slot ${slot}`
  if (slot % span !== 0) faults.push(`${what} is none of the plan`)
  const ids = new Set(runs.map(({ id }) => id))
  if (ids.size > 1) faults.push(`${what} fired twice: ${[...ids].join()}`)
  for (const { wall } of runs) if (wall < slot) faults.push(`${what} fired early, at ${wall}`)
  for (const [at, next] of runs.slice(1).entries()) {
    const before = runs[at]
    const isNext = next.attempt > before.attempt
    const isExplained = isNext && (before.end === 'failed' || before.isWorkerKilled)
    if (!isExplained) faults.push(`${what}: attempt ${next.attempt} after ${before.attempt}`)
  }
  if (!runs.some(({ end }) => end === 'done')) faults.push(`${what} fired, and was never done`)
  return faults
}

/** None begins before all that the one before it brought is over. */
function overlaps({ name }: SlotPlan, slots: ReadonlyMap<Instant, readonly SlotRun[]>): string[] {
  const faults: string[] = []
  let before: readonly SlotRun[] = []
  for (const [slot, runs] of slots) {
    const begun = Math.min(...runs.map(({ from }) => from))
    const late = before.find(({ to }) => to > begun)
    if (late !== undefined) faults.push(`${name}: slot ${slot} beside that of ${late.place}`)
    before = runs
  }
  return faults
}

/**
 * What was due while nobody lived is missed: but for the last, which stands for all, it fires only
 * where all do. And when somebody lives again the schedule goes on, unless a job still holds it.
 */
function inTheDark(
  { name, span, missed, overlap }: SlotPlan,
  slots: ReadonlyMap<Instant, unknown>,
  { from, to }: Blackout,
): string[] {
  const fired = [...slots.keys()]
  const isOn = overlap === 'skip' || fired.some((slot) => slot > to - span)
  const faults = isOn ? [] : [`${name}: nothing fired after ${to}`]
  if (missed === 'all') return faults
  const late = fired.filter((slot) => slot > from && slot <= to - span)
  return [...faults, ...late.map((slot) => `${name}: slot ${slot} was missed, and fired`)]
}
