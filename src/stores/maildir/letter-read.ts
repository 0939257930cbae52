/**
 * A letter read: the row, the extra and the description that it was written from. Where it lies and
 * what its name says of a hold is the reader's to add, and so are slots.
 */
import type { Encoded } from '../../job/codec.js'
import { STATES } from '../../job/job.js'
import type { DiscardReason, FinalState, JobRef } from '../../job/job.js'
import type { NewJob, ParentPolicy } from '../../job/lot.js'
import { OWN_ID, RECEIPT } from '../../job/book/columns.js'
import type { Extra, Parent, Past } from '../../job/book/extra.js'
import { emptyExtra } from '../../job/book/extra.js'
import type { Fields } from './fields.js'
import type { BookWords, KeyWords, OriginWords, PastWords, RowWords } from './letter-words.js'
import { itemOfLog, itemOfResult, itemOfStep } from '../book/items.js'

export interface Letter {
  readonly queue: string
  readonly id: string
  readonly task: string
  readonly group: string
  /** As a number of `columns.ts`. */
  readonly state: number
  readonly priority: number
  /** Before that of whoever holds it. */
  readonly attempts: number
  readonly maxAttempts: number | null
  readonly book: BookWords
  readonly extra: Extra | null
  /** Where its parents stand, in the order of `extra.kin`. */
  readonly at: readonly (JobRef | null)[]
  /** While it holds its key: until when its period runs. */
  readonly keyUntil: number | null
  /** Null: a receipt. */
  readonly job: NewJob | null
}

/** Throws what JSON throws, or a sentence, when it is no letter. */
export function readLetter(fields: Fields): Letter {
  const queue = text(fields, 'queue')
  const id = text(fields, 'id')
  const word = text(fields, 'state')
  const state = word === 'receipt' ? RECEIPT : STATES.findIndex((one) => one === word)
  if (state < 0) throw new Error(`it has a state that is none: ${word}`)
  const book = fields.value<BookWords | null>('book', null)
  const { place, seq, inserted } = book ?? {}
  if (book === null || ![place, seq, inserted].every(Number.isFinite)) {
    throw new Error('it has no field "book" with the numbers that its keeper wrote there')
  }
  const letter = {
    ...{ queue, id, state, book },
    task: fields.value('task', 'default'),
    group: fields.value('group', ''),
    priority: fields.value('priority', 0),
    attempts: fields.value('attempts', 0),
    maxAttempts: fields.value<number | null>('maxAttempts', null),
  }
  const rows = fields.value<readonly RowWords[]>('parents', [])
  return {
    ...letter,
    extra: readExtra(fields, book, rows),
    at: rows.map(({ at }) => at && { queue: at[0], id: at[1] }),
    keyUntil: fields.value<KeyWords | null>('key', null)?.until ?? null,
    job: state === RECEIPT ? null : readJob(fields, letter),
  }
}

function text(fields: Fields, name: string): string {
  const value: unknown = fields.value(name, null)
  if (typeof value !== 'string') throw new Error(`it has no field "${name}" with a text`)
  return value
}

function readJob(
  fields: Fields,
  letter: Pick<Letter, 'queue' | 'id' | 'task' | 'group' | 'priority' | 'maxAttempts' | 'book'>,
): NewJob {
  const { queue, id, task, group, priority, maxAttempts, book } = letter
  const payload = fields.encoded('payload')
  if (payload === null) throw new Error('it has no field "payload"')
  return {
    ...{ queue, id, task, group, priority, payload },
    ownId: ((book.flags ?? 0) & OWN_ID) !== 0,
    delay: 0,
    at: null,
    unique: null,
    attempts: maxAttempts,
    timeout: fields.endless<number | null>('timeout', null),
    expiresIn: fields.endless<number | null>('expiresIn', null),
    after: [],
    onParentFailed: 'wait',
    tags: fields.value<readonly string[]>('tags', []),
    meta: fields.encoded('meta'),
    origin: null,
  }
}

const SAYS_MORE = [
  ...['expiresIn', 'progress', 'result', 'result+rich', 'result+text', 'discarded', 'movedTo'],
  ...['final', 'deleted', 'history', 'log', 'steps', 'origin', 'after', 'key', 'reason'],
]

function readExtra(
  fields: Fields,
  { due, round }: BookWords,
  rows: readonly RowWords[],
): Extra | null {
  if (due === undefined && round === undefined && !SAYS_MORE.some((one) => fields.has(one))) {
    return null
  }
  const key = fields.value<KeyWords | null>('key', null)
  const origin = fields.value<OriginWords | null>('origin', null)
  const result = fields.encoded('result')
  const log = fields.value<readonly string[]>('log', [])
  const steps = fields.value<StepWords | null>('steps', null)
  const policy = fields.value<ParentPolicy | null>('after', null)
  return {
    ...emptyExtra(),
    dueAt: due ?? null,
    round: round ?? 1,
    key: key && { name: key.name, while: key.while },
    expiresIn: fields.endless<number | null>('expiresIn', null),
    history: pastOf(fields.value<readonly PastWords[]>('history', [])),
    origin: origin && { ...origin, history: pastOf(origin.history) },
    kin: policy && kinOf(policy, rows),
    result: result && itemOfResult(result),
    progress: fields.value<number | null>('progress', null),
    log: log.map((line) => ({ paper: itemOfLog([line]), lines: 1 })),
    lines: log.length,
    steps: steps && {
      kept: steps.kept.map(([name, value]) => ({ name, paper: itemOfStep({ name, value }) })),
      told: steps.told,
    },
    discarded: fields.value<DiscardReason | null>('discarded', null),
    reason: fields.value<string | null>('reason', null),
    movedTo: fields.value<JobRef | null>('movedTo', null),
    isDeleted: fields.value('deleted', false),
    isAway: fields.value('away', false),
    final: fields.value<FinalState | null>('final', null),
  }
}

interface StepWords {
  readonly kept: readonly (readonly [string, Encoded])[]
  readonly told: number
}

function pastOf(history: readonly PastWords[]): Past[] {
  return history.map((past) => ({ ...past, paper: null }))
}

/** The slots are filled in when all letters are there. */
function kinOf(policy: ParentPolicy, rows: readonly RowWords[]): Extra['kin'] {
  const parents = rows.map(({ queue, id, end, isWaived, result }): Parent => {
    return { queue, id, end, isWaived, result: result && itemOfResult(result), slot: -1 }
  })
  const unfinished = parents.filter(({ end }) => end === null).length
  const failed = parents.filter(({ end, isWaived }) => {
    return end !== null && end !== 'completed' && !isWaived
  }).length
  return { policy, parents, unfinished, failed }
}
