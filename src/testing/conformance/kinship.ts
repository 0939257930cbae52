/**
 * What a random walk knows of jobs that come after others: whom each waits for, where those went and
 * how they ended. The rules are those of the docs, asked anew of everyone when something has changed;
 * of how a store keeps them nothing is known here.
 */
import assert from 'node:assert/strict'
import type { Encoded } from '../../job/codec.js'
import { madeAt } from '../../job/id.js'
import type { FinalState, JobRef, ParentRow, State } from '../../job/job.js'
import type { ParentPolicy } from '../../job/lot.js'

/** A state without what time alone changes. */
export type Standing = 'waiting' | 'running' | FinalState

export function standingOf(state: State): Standing {
  switch (state) {
    case 'scheduled':
    case 'available':
    case 'retryable':
    case 'waiting':
      return 'waiting'
    case 'running':
    case 'completed':
    case 'cancelled':
    case 'discarded':
      return state
  }
}

/** One life of a job: whoever is inserted under the id of a deleted one is another. */
export interface Relative {
  readonly ref: JobRef
  readonly isLetter: boolean
  /** One that was deleted before it had ended stands as cancelled. */
  standing: Standing
  result: Encoded | null
  /** What it goes on as: its dead letter, or what came back of that. */
  heir: Relative | null
  kin: Kin | null
}

/** What a job that comes after others knows of them. */
export interface Kin {
  readonly policy: ParentPolicy
  readonly parents: readonly Relative[]
  /** Failed ones that an operator's retry lets it run without. */
  readonly waived: Set<Relative>
  /** It was not released yet. */
  waits: boolean
}

/** All have ended, and one has failed: 'stuck', until an operator says how to go on. */
export type Outlook = 'free' | 'doomed' | 'waits' | 'stuck'

export function kinOf(policy: ParentPolicy, named: readonly Relative[]): Kin {
  const parents = named.filter((one, at) => {
    return endOf(one) === 'completed' || named.indexOf(one) === at
  })
  return { policy, parents, waived: new Set(), waits: true }
}

/** It was never there; but its id is young and one of ours, so it may have completed and left nothing. */
export function believed(ref: JobRef): Relative {
  assert.ok(madeAt(ref.id) !== null, `${ref.queue}/${ref.id} is a stranger`)
  const alone = { isLetter: false, result: null, heir: null, kin: null }
  return { ref, standing: 'completed', ...alone }
}

export function outlookOf({ policy, parents, waived }: Kin): Outlook {
  const failed = parents.some((one) => hasFailed(one) && !waived.has(one))
  if (failed && policy === 'discard') return 'doomed'
  if (parents.some((one) => endOf(one) === null)) return 'waits'
  return failed && policy === 'wait' ? 'stuck' : 'free'
}

/** Releases whom nothing keeps any more, and answers those that fall with their parents. */
export function settleKin<T extends Relative>(all: Iterable<T>): T[] {
  const waiting = [...all].filter(({ kin }) => kin?.waits === true)
  const fallen: T[] = []
  for (let changed = true; changed;) {
    changed = false
    for (const one of waiting) {
      const outlook = one.kin?.waits === true ? outlookOf(one.kin) : 'waits'
      if (outlook === 'waits' || outlook === 'stuck') continue
      stopWaiting(one)
      if (outlook === 'doomed') {
        one.standing = 'discarded'
        fallen.push(one)
      }
      changed = true
    }
  }
  return fallen
}

export function stopWaiting({ kin }: Relative): void {
  if (kin !== null) kin.waits = false
}

/** An operator retries this one: whatever was waived of it counts anew. */
export function unwaive(parent: Relative, all: Iterable<Relative>): void {
  for (const { kin } of all) {
    for (const one of kin?.waived ?? []) if (tailOf(one) === parent) kin?.waived.delete(one)
  }
}

/** An operator retries the child: it goes on without those that failed, after those that have not ended. */
export function waive({ kin }: Relative): void {
  if (kin === null) return
  for (const one of kin.parents) if (hasFailed(one)) kin.waived.add(one)
  kin.waits = kin.parents.some((one) => endOf(one) === null)
}

/** The store tells of each parent, in order, what is known here. */
export function agree(rows: readonly ParentRow[] | null, { ref, kin }: Relative): void {
  const known = (kin?.parents ?? []).map((one) => {
    const standing = endOf(one) ?? tailOf(one).standing
    const result = standing === 'completed' ? tailOf(one).result : null
    return { queue: one.ref.queue, id: one.ref.id, standing, result }
  })
  const told = rows?.map(({ queue, id, state, result }) => {
    return { queue, id, standing: standingOf(state), result }
  })
  assert.deepEqual(told, known, `${ref.queue}/${ref.id} knows its parents`)
}

function tailOf(from: Relative): Relative {
  let at = from
  while (at.heir !== null) at = at.heir
  return at
}

/** Null: not yet. Whatever becomes of a dead letter, the job that it was was discarded. */
function endOf(parent: Relative): FinalState | null {
  const tail = tailOf(parent)
  if (tail !== parent && tail.isLetter) return 'discarded'
  const { standing } = tail
  return standing === 'waiting' || standing === 'running' ? null : standing
}

function hasFailed(parent: Relative): boolean {
  const end = endOf(parent)
  return end !== null && end !== 'completed'
}
