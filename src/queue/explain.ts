/**
 * Why does it not run? What the store says of a job, a queue and its groups, in the words of the
 * faces: instants as dates, and beside it what this process alone has paused, which keeps no other
 * process from taking the job.
 */
import type { Resting } from '../engine/rest.js'
import { name } from '../job/check.js'
import type * as stored from '../job/gate.js'
import type { Counts, JobRef, State } from '../job/job.js'
import type { Parts } from '../parts.js'
import { readyFor } from '../parts.js'
import { fill, pageAsk } from './page.js'
import type { Page } from './page.js'
import { thisProcess } from './pause.js'

type Dated<G> = G extends unknown
  ? { readonly [K in keyof G]: K extends 'since' | 'until' ? Date : G[K] }
  : never
type Paused = Extract<stored.Gate, { readonly kind: 'paused' }>

/** One reason why a job may not run now. `opensIn`: by itself, after so long; 0: at the next claim. */
export type Gate =
  | Dated<Exclude<stored.Gate, Paused>>
  /** `by`: the host and process of whoever asked. */
  | (Omit<Dated<Paused>, 'where'> & { readonly where: 'everywhere' | 'here' })

/** No gates and `ahead` 0: the next claim takes it. `ahead` is exact up to 10,000, beyond that at least that. */
export interface Explanation {
  readonly state: State
  /** In the order in which they are asked. */
  readonly gates: readonly Gate[]
  readonly ahead: number
}

/** Gates that hold the whole queue or its next job; `counts` say whether there is anything to move. */
export interface QueueExplanation {
  readonly queue: string
  readonly gates: readonly Gate[]
  readonly counts: Counts
  readonly next: JobRef | null
}

export interface GroupInfo {
  readonly group: string
  readonly counts: Counts
  /** By itself; what its queue says comes on top. */
  readonly paused: boolean
  /** Blocking order: the id of the job that holds it; null: none does. */
  readonly blockedBy: string | null
}

export async function explain(
  parts: Parts,
  queue: string,
  id: string,
): Promise<Explanation | null> {
  const ref = { queue, id: name(id, 'explain') }
  await readyFor(parts, queue)
  const { engine } = parts
  const [told] = await engine.store.explain([ref])
  if (told == null) return null
  const gates = told.gates.map(gate)
  const here = engine.pausedHere(queue)
  if (here.length === 0 || gates.some(({ kind }) => ASIDE.has(kind))) return { ...told, gates }
  const [found] = await engine.store.get([ref])
  const group = found?.kind === 'job' ? found.job.group : null
  return { ...told, gates: withPauses(gates, here, group) }
}

/** Whoever runs it or has ended it was not held up by a pause. */
const ASIDE: ReadonlySet<Gate['kind']> = new Set(['final', 'running'])
/** Gates that are asked before a pause. */
const BEFORE: ReadonlySet<Gate['kind']> = new Set(['parents', 'not-due', 'ending'])

/** `group`: the job's, whose pause matters; null: none does. */
function withPauses(
  gates: readonly Gate[],
  here: readonly Resting[],
  group: string | null,
): readonly Gate[] {
  const first = gates.filter(({ kind }) => BEFORE.has(kind))
  const rest = gates.filter(({ kind }) => !BEFORE.has(kind))
  return [...first, ...pausesHere(here, group), ...rest]
}

function pausesHere(here: readonly Resting[], group: string | null): readonly Gate[] {
  const by = thisProcess()
  return here
    .filter((one) => one.group === null || one.group === group)
    .map(({ what, since }): Gate => {
      return { kind: 'paused', what, where: 'here', since: new Date(since), by }
    })
}

export async function explainQueue(parts: Parts, queue: string): Promise<QueueExplanation | null> {
  await readyFor(parts, queue)
  const { engine } = parts
  const told = await engine.store.explainQueue(queue)
  if (told === null) return null
  // Its own gates come first, and then those of its next job.
  return {
    ...told,
    gates: [...pausesHere(engine.pausedHere(queue), null), ...told.gates.map(gate)],
  }
}

export async function groups(
  parts: Parts,
  queue: string,
  options: unknown,
): Promise<Page<GroupInfo>> {
  const ask = pageAsk(options, 'groups')
  await readyFor(parts, queue)
  const { store } = parts.engine
  return fill(
    parts.clock,
    ask,
    (next) => store.groups(queue, next),
    (row) => row,
  )
}

function gate(told: stored.Gate): Gate {
  switch (told.kind) {
    case 'final':
    case 'paused':
    case 'moving':
      return { ...told, since: new Date(told.since) }
    case 'running':
      return { ...told, since: new Date(told.since), until: new Date(told.until) }
    default:
      return told
  }
}
