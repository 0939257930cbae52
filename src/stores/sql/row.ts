/**
 * A job as one row: the facts that claims, sweeps and lists look at in columns of their own, what
 * was said when it was enqueued and few jobs say in `spec`, what became of it and few jobs have in
 * `extra`. Both are JSON, null where there is nothing to tell, as for nearly every job.
 */
import type { Encoded } from '../../job/codec.js'
import type { AttemptError, AttemptOutcome, DiscardReason, FinalState } from '../../job/job.js'
import type { JobRef, Millis } from '../../job/job.js'
import type { NewJob, ParentPolicy } from '../../job/lot.js'
import { errorOn, itemOfLog, itemOfResult, itemOfStep, logOn, payloadOn } from '../book/items.js'
import { resultOn, stepOn } from '../book/items.js'
import { FRESH, HOLDS, OWN_ID, AT_WALL, CANCEL_ASKED, RECEIPT } from '../../job/book/columns.js'
import { emptyExtra } from '../../job/book/extra.js'
import type { Extra, ExtraView, Item, OwnKey, Paper, Past } from '../../job/book/extra.js'
import { fromText, toText } from './text.js'

export interface JobRow {
  /** The number of its insertion; 0: not inserted yet. */
  seq: number
  /** The number of its queue. */
  queue: number
  id: string
  /** As in `job/book/columns.ts`. */
  state: number
  flags: number
  task: string
  grp: string
  priority: number
  crashes: number
  attempt: number
  /** Null: by the queue's settings. */
  max_attempts: number | null
  place: Millis
  due: Millis
  inserted_at: Millis
  since: Millis
  token: number | null
  node: string | null
  worker: string | null
  claim: number | null
  /** Where claims look for it when it is due; null: it has no attempt left, or waits for nothing. */
  lane: number | null
  /** By when it must be started; null: it need not, or was before. */
  expires: Millis | null
  payload: string | null
  codec: number
  spec: string | null
  extra: string | null
}

/** What a plain claim cannot know of a job before; the rest of its row is what the claim made it. */
export const TAKEN_COLUMNS = [
  ...(['seq', 'id', 'flags', 'task', 'priority', 'crashes', 'attempt', 'max_attempts'] as const),
  ...(['place', 'due', 'inserted_at', 'token', 'payload', 'codec', 'spec', 'extra'] as const),
] satisfies readonly (keyof JobRow)[]

export type Taken = Pick<JobRow, (typeof TAKEN_COLUMNS)[number]>

/** From the values of these columns, which begin at that place of an array. */
export function takenFrom(row: readonly unknown[], at: number): Taken {
  return {
    seq: row[at],
    id: row[at + 1],
    flags: row[at + 2],
    task: row[at + 3],
    priority: row[at + 4],
    crashes: row[at + 5],
    attempt: row[at + 6],
    max_attempts: row[at + 7],
    place: row[at + 8],
    due: row[at + 9],
    inserted_at: row[at + 10],
    token: row[at + 11],
    payload: row[at + 12],
    codec: row[at + 13],
    spec: row[at + 14],
    extra: row[at + 15],
  } as Taken // as: the columns of `TAKEN_COLUMNS`, in their order
}

/** The flags that are stored; the others say how the book keeps things. */
export const STORED_FLAGS = OWN_ID | AT_WALL | CANCEL_ASKED | FRESH | HOLDS

// ── What was said ───────────────────────────────────────────────────────────────────────────────

interface Spec {
  readonly timeout?: Millis
  readonly tags?: readonly string[]
  readonly meta?: Encoded
}

export function specOf({ timeout, tags, meta }: NewJob): string | null {
  if (timeout === null && tags.length === 0 && meta === null) return null
  return toText({
    ...(timeout === null ? {} : { timeout }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(meta === null ? {} : { meta }),
  } satisfies Spec)
}

export const CODECS = ['json', 'rich'] as const

export function codecOf(payload: Encoded): number {
  return CODECS.indexOf(payload.codec)
}

/** What the job's row says of its enqueue; what else was said is in its columns and its extra. */
export function paperOf(row: JobRow, queue: string): NewJob {
  const { timeout, tags, meta } = specOfRow(row)
  return {
    queue,
    id: row.id,
    ownId: (row.flags & OWN_ID) !== 0,
    task: row.task,
    payload: payloadOf(row),
    priority: row.priority,
    group: row.grp,
    delay: 0,
    at: null,
    unique: null,
    attempts: row.max_attempts,
    timeout,
    expiresIn: null,
    after: [],
    onParentFailed: 'wait',
    tags,
    meta,
    origin: null,
  }
}

/** Of a job that is no receipt. */
export function payloadOf({ payload, codec }: Pick<JobRow, 'payload' | 'codec'>): Encoded {
  // It was read by a statement that leaves the payload out, and must never be written as if it had none.
  if (payload === null) throw new Error('a job was read without its payload, and it is asked for')
  return { text: payload, codec: CODECS[codec] ?? 'json' }
}

export function specOfRow({
  spec,
}: Pick<JobRow, 'spec'>): Pick<NewJob, 'timeout' | 'tags' | 'meta'> {
  if (spec === null) return NO_SPEC
  const { timeout = null, tags = [], meta = null } = fromText<Spec>(spec)
  return { timeout, tags, meta }
}

const NO_SPEC = { timeout: null, tags: [], meta: null }

// ── What became of it ───────────────────────────────────────────────────────────────────────────

interface StoredPast extends Omit<Past, 'paper'> {
  readonly error: AttemptError | null
  readonly outcome: AttemptOutcome
}

interface StoredParent extends JobRef {
  readonly end: FinalState | null
  readonly result: Encoded | null
  /** The number of its row, or of its heir's; 0: it will not change. */
  readonly seq: number
  readonly isWaived: boolean
}

export interface StoredKin {
  readonly policy: ParentPolicy
  readonly parents: readonly StoredParent[]
  readonly unfinished: number
  readonly failed: number
}

export interface StoredExtra {
  readonly round?: number
  readonly key?: OwnKey
  readonly expiresIn?: Millis
  readonly history?: readonly StoredPast[]
  readonly origin?: JobRef & {
    readonly history: readonly StoredPast[]
    readonly reason: DiscardReason
    readonly maxAttempts: number
    readonly key: OwnKey | null
  }
  readonly kin?: StoredKin
  readonly result?: Encoded
  readonly progress?: number
  readonly log?: readonly (readonly string[])[]
  readonly steps?: {
    readonly kept: readonly { readonly name: string; readonly value: Encoded }[]
    readonly told: number
  }
  readonly discarded?: DiscardReason
  readonly reason?: string
  readonly movedTo?: JobRef
  readonly isDeleted?: true
  readonly isAway?: true
  readonly final?: FinalState
}

export function storedExtra(text: string | null): StoredExtra {
  return text === null ? NOTHING : fromText<StoredExtra>(text)
}

const NOTHING: StoredExtra = {}

/** `slotOf`: where the book has the row of that number. */
export function extraOf(stored: StoredExtra, slotOf: (seq: number) => number): Extra {
  const { kin, log, steps, origin, result } = stored
  return {
    ...emptyExtra(),
    round: stored.round ?? 1,
    key: stored.key ?? null,
    expiresIn: stored.expiresIn ?? null,
    history: (stored.history ?? []).map(pastOf),
    origin: origin === undefined ? null : { ...origin, history: origin.history.map(pastOf) },
    kin:
      kin === undefined
        ? null
        : {
            ...kin,
            parents: kin.parents.map(({ seq, result: of, ...row }) => {
              return { ...row, result: of && itemOfResult(of), slot: seq === 0 ? -1 : slotOf(seq) }
            }),
          },
    result: result === undefined ? null : itemOfResult(result),
    progress: stored.progress ?? null,
    log: (log ?? []).map((lines) => ({ paper: itemOfLog(lines), lines: lines.length })),
    lines: (log ?? []).reduce((sum, lines) => sum + lines.length, 0),
    steps:
      steps === undefined
        ? null
        : {
            kept: steps.kept.map(({ name, value }) => ({
              name,
              paper: itemOfStep({ name, value }),
            })),
            told: steps.told,
          },
    discarded: stored.discarded ?? null,
    reason: stored.reason ?? null,
    movedTo: stored.movedTo ?? null,
    isDeleted: stored.isDeleted ?? false,
    isAway: stored.isAway ?? false,
    final: stored.final ?? null,
  }
}

/** Null when there is nothing to tell. `seqOf`: the number of the row in that slot. */
export function textOfExtra(extra: ExtraView, seqOf: (slot: number) => number): string | null {
  const { kin, log, steps, origin, history, result } = extra
  const stored: StoredExtra = {
    ...(extra.round === 1 ? {} : { round: extra.round }),
    ...(extra.key === null ? {} : { key: extra.key }),
    ...(extra.expiresIn === null ? {} : { expiresIn: extra.expiresIn }),
    ...(history.length === 0 ? {} : { history: history.map(storedPast) }),
    ...(origin === null ? {} : { origin: { ...origin, history: origin.history.map(storedPast) } }),
    ...(kin === null
      ? {}
      : {
          kin: {
            ...kin,
            parents: kin.parents.map(({ slot, result: of, ...row }) => {
              return { ...row, result: of && resultOn(item(of)), seq: slot < 0 ? 0 : seqOf(slot) }
            }),
          },
        }),
    ...(result === null ? {} : { result: resultOn(item(result)) ?? NO_RESULT }),
    ...(extra.progress === null ? {} : { progress: extra.progress }),
    ...(log.length === 0 ? {} : { log: log.map(({ paper }) => logOn(item(paper))) }),
    ...(steps === null
      ? {}
      : {
          steps: {
            kept: steps.kept.map(({ name, paper }) => ({
              name,
              value: stepOn(item(paper)) ?? NO_RESULT,
            })),
            told: steps.told,
          },
        }),
    ...(extra.discarded === null ? {} : { discarded: extra.discarded }),
    ...(extra.reason === null ? {} : { reason: extra.reason }),
    ...(extra.movedTo === null ? {} : { movedTo: extra.movedTo }),
    ...(extra.isDeleted ? { isDeleted: true } : {}),
    ...(extra.isAway ? { isAway: true } : {}),
    ...(extra.final === null ? {} : { final: extra.final }),
  }
  for (const _ in stored) return toText(stored)
  return null
}

/** As `textOfExtra` has it of a receipt of a job that nothing else is to be told of. */
export function receiptOf(result: Encoded): string {
  return toText({ result, final: 'completed' } satisfies StoredExtra)
}

function pastOf(past: StoredPast): Past {
  return { ...past, paper: null }
}

function storedPast({ paper, ...past }: Past): StoredPast {
  if (paper === null) return past
  return { ...past, error: errorOn(item(paper)) }
}

// ── Papers: what is long is, in a sheet, the item itself ────────────────────────────────────────

const NO_RESULT: Encoded = { text: 'null', codec: 'json' }

/** Every paper of a sheet is an item of a frame, or made here. */
function item(paper: Paper): Item {
  return paper as Item // as: see above
}

/** The payload as it is to be stored, when an operator's or a repeated enqueue's word changed it. */
export function storedPayload(job: NewJob, extra: ExtraView | undefined): Encoded {
  const changed = extra?.payload == null ? null : payloadOn(item(extra.payload))
  return changed ?? job.payload
}

export function isReceiptRow(row: JobRow): boolean {
  return row.state === RECEIPT
}
