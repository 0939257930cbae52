/**
 * A portable job as items of a load frame: its description, as a producer's would be, with the facts
 * of its life; and behind it its papers, each an item of the kind that such things are made of. So
 * a store keeps and finds what was loaded as it does everything else.
 */
import type { Encoded } from '../codec.js'
import type { Attempt } from '../job.js'
import type { NewJob } from '../lot.js'
import type { Portable, PortableJob } from '../portable.js'
import type { Item } from './extra.js'
import type { JobFacts, LoadItem, NoteItem, PastFacts, SettleItem } from './frame.js'

export function linesOf(items: readonly Portable[]): LoadItem[] {
  return items.flatMap((item): LoadItem[] => {
    return item.kind === 'job' ? linesOfJob(item) : [{ as: 'fact', fact: item }]
  })
}

/** The items that papers are made of, in the places of the frame's. */
export function papersIn(items: readonly LoadItem[]): (Item | undefined)[] {
  return items.map((item) =>
    item.as === 'job' ? item.job : item.as === 'paper' ? item.paper : undefined,
  )
}

function linesOfJob(job: PortableJob): LoadItem[] {
  const papers = new Papers(job)
  const facts = factsOf(job, papers)
  return [{ as: 'job', job: describedBy(job), facts }, ...papers.items]
}

/** Its papers, numbered from 1. */
class Papers {
  readonly items: LoadItem[] = []
  readonly #of: Pick<PortableJob, 'queue' | 'id'>

  constructor({ queue, id }: PortableJob) {
    this.#of = { queue, id }
  }

  result(result: Encoded | null): number | null {
    if (result === null) return null
    return this.#settle({ verdict: { kind: 'complete', result }, ran: null })
  }

  past({ error, ...past }: Attempt): PastFacts {
    if (error === null) return { ...past, paper: null }
    const { outcome, duration } = past
    const ran = { outcome, duration, error }
    return { ...past, paper: this.#settle({ verdict: { kind: 'release' }, ran }) }
  }

  note(words: Pick<NoteItem, 'log' | 'step'>): number {
    const token = this.items.length + 1
    this.items.push({ as: 'paper', paper: { ...this.#of, token, progress: null, ...words } })
    return token
  }

  #settle(words: Pick<SettleItem, 'verdict' | 'ran'>): number {
    const token = this.items.length + 1
    this.items.push({ as: 'paper', paper: { ...this.#of, token, ...words } })
    return token
  }
}

/** Written out: a million of them are made. */
function factsOf(job: PortableJob, papers: Papers): JobFacts {
  const { origin, log } = job
  return {
    state: job.state,
    attempt: job.attempt,
    round: job.round,
    crashes: job.crashes,
    place: job.place,
    due: job.due,
    isAtWall: job.isAtWall,
    insertedAt: job.insertedAt,
    endedAt: job.endedAt,
    holdsGroup: job.holdsGroup,
    isFresh: job.isFresh,
    key: job.key,
    expiresIn: job.expiresIn,
    onParentFailed: job.onParentFailed,
    progress: job.progress,
    stepsTold: job.stepsTold,
    discarded: job.discarded,
    reason: job.reason,
    movedTo: job.movedTo,
    isDeleted: job.isDeleted,
    final: job.final,
    isDescribed: job.payload !== null,
    result: papers.result(job.result),
    history: job.history.map((past) => papers.past(past)),
    origin: origin && { ...origin, history: origin.history.map((past) => papers.past(past)) },
    log: log.length === 0 ? null : { paper: papers.note({ log }), lines: log.length },
    steps: job.steps.map((step) => ({ name: step.name, paper: papers.note({ log: [], step }) })),
    parents: job.parents.map((parent) => ({ ...parent, result: papers.result(parent.result) })),
  }
}

/** As if it were enqueued; but when, after what and under which key is told by the facts. */
function describedBy(job: PortableJob): NewJob {
  return {
    queue: job.queue,
    id: job.id,
    ownId: job.ownId,
    task: job.task,
    payload: job.payload ?? NOTHING,
    priority: job.priority,
    group: job.group,
    delay: 0,
    at: null,
    unique: null,
    attempts: job.maxAttempts,
    timeout: job.timeout,
    expiresIn: null,
    after: [],
    onParentFailed: 'wait',
    tags: job.tags,
    meta: job.meta,
    origin: null,
  }
}

const NOTHING: Encoded = { text: 'null', codec: 'json' }
