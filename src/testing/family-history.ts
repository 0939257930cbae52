/**
 * The history of jobs that come after others, and what each must answer for it: did it begin before
 * its parents were through, did it run though it should have fallen with them, did it never run?
 * Pure, as `gate-history.ts` is, on the same runs.
 */
import type { ParentPolicy } from '../job/lot.js'
import type { Run } from './gate-history.js'

/** A job that was put in, with what it comes after. */
export interface Member {
  readonly id: string
  readonly parents: readonly string[]
  readonly policy: ParentPolicy
  /** It fails all its attempts, so it is discarded. */
  readonly isDoomed: boolean
}

export interface FamilyReport {
  /** A sentence for each violation. */
  readonly faults: readonly string[]
  /** Children that had to wait for a second run of a parent: without any, not much was proved. */
  readonly pressed: number
  /** Those that fell with their parents. */
  readonly fallen: ReadonlySet<string>
}

export function judgeFamilies(members: readonly Member[], runs: readonly Run[]): FamilyReport {
  const known = new Map(members.map((member) => [member.id, member]))
  const fallen = new Set<string>()
  const lives = new Map<string, Run[]>()
  for (const run of runs) {
    const life = lives.get(run.id)
    if (life === undefined) lives.set(run.id, [run])
    else life.push(run)
  }
  const faults: string[] = []
  let pressed = 0
  // Parents are put in before their children, or with them, and are told before them.
  for (const member of members) {
    const { id, parents, policy } = member
    const life = lives.get(id) ?? []
    const failed = parents.filter((one) => fallen.has(one) || known.get(one)?.isDoomed === true)
    if (failed.length > 0 && policy === 'discard') {
      fallen.add(id)
      if (life.length > 0) faults.push(`${id} ran, and ${failed.join()} of its parents failed`)
      continue
    }
    if (life.length === 0) faults.push(`${id} never ran`)
    else if (!member.isDoomed && !isDone(life)) faults.push(`${id} was never done`)
    const from = Math.min(...life.map((run) => run.from))
    for (const parent of parents) {
      const before = lives.get(parent) ?? []
      const late = before.find(({ to }) => to > from)
      if (late !== undefined) {
        faults.push(`${id} began at ${from}, and ${parent} ran from ${late.from} to ${late.to}`)
      } else if (life.length > 0 && !failed.includes(parent) && !isDone(before)) {
        faults.push(`${id} began, and ${parent} was never done`)
      }
    }
    if (parents.some((parent) => (lives.get(parent)?.length ?? 0) > 1)) pressed++
  }
  return { faults, pressed, fallen }
}

function isDone(life: readonly Run[]): boolean {
  return life.some(({ end }) => end === 'done')
}
