/**
 * A job as a letter: what `cat` shows of it. First what people look for, then `book`: the numbers
 * from which the book is built again. What a job does not have is left out. Times in `book` and in
 * the history are store time; `enqueued`, `due` and `ended` say the same in the wall's words.
 *
 * A claim changes only the letter's name. So a letter counts the attempts before that of whoever
 * holds it, and being in `cur` says the rest.
 */
import type { Instant } from '../../job/job.js'
import { STATES } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import { BY_SETTINGS, HAS_EXTRA, HOLDS, ODD_ID, RECEIPT, RUNNING } from '../../job/book/columns.js'
import type { ExtraView, Item, Paper, Parent, Past } from '../../job/book/extra.js'
import type { Ledger } from '../../job/book/ledger.js'
import { wallTime } from '../../job/book/views.js'
import { FieldWriter } from './fields.js'
import { errorOn, logOn, payloadOn, resultOn, stepOn } from '../book/items.js'
import type { BookWords, PastWords, RowWords } from './letter-words.js'

/** Of a slot that holds something. `written`: now, by the wall. */
export function letterOf(ledger: Ledger, slot: number, written: Instant): string {
  const { columns } = ledger
  const state = columns.state.get(slot)
  const extra = ledger.findExtra(slot)
  const job = state === RECEIPT ? null : ledger.shelf.jobs([slot])[0]
  const into = new FieldWriter()
  into.value('queue', ledger.queueOf(slot).name)
  into.value('id', ledger.ids.text(slot))
  const task = ledger.taskNames.text(columns.task.get(slot))
  if (task !== 'default') into.value('task', task)
  into.value('state', state === RECEIPT ? 'receipt' : STATES[state])
  if (extra?.reason != null) into.value('reason', extra.reason)
  if (job !== null) writeJob(into, ledger, job, extra)
  const priority = columns.priority.get(slot) - 100
  if (priority !== 0) into.value('priority', priority)
  const group = ledger.groupNames.text(columns.group.get(slot))
  if (group !== '') into.value('group', group)
  into.value('enqueued', words(wallTime(ledger, columns.insertedAt.get(slot))))
  into.value('due', words(wallTime(ledger, ledger.dueOf(slot))))
  if (state > RUNNING + 2) into.value('ended', words(wallTime(ledger, columns.since.get(slot))))
  const attempts = columns.attempt.get(slot) - (state === RUNNING ? 1 : 0)
  if (attempts > 0) into.value('attempts', attempts)
  const own = columns.maxAttempts.get(slot)
  if (own !== BY_SETTINGS) into.value('maxAttempts', own)
  if (extra !== undefined) writeExtra(into, ledger, slot, extra)
  into.value('book', bookWords(ledger, slot, extra))
  into.value('written', words(written))
  return into.text()
}

function writeJob(
  into: FieldWriter,
  ledger: Ledger,
  job: NewJob,
  extra: ExtraView | undefined,
): void {
  const updated = extra?.payload == null ? null : payloadOn(read(ledger, extra.payload))
  into.encoded('payload', updated ?? job.payload)
  if (job.meta !== null) into.encoded('meta', job.meta)
  if (job.tags.length > 0) into.value('tags', job.tags)
  if (job.timeout !== null) into.endless('timeout', job.timeout)
}

function bookWords(ledger: Ledger, slot: number, extra: ExtraView | undefined): BookWords {
  const { columns } = ledger
  const state = columns.state.get(slot)
  const crashes = columns.crashes.get(slot)
  // Whether it runs is said by where it lies; the rest follows from what is written.
  const flags = columns.flags.get(slot) & ~(HAS_EXTRA | ODD_ID | (state === RUNNING ? HOLDS : 0))
  const round = extra?.round ?? 1
  return {
    place: columns.place.get(slot),
    seq: columns.seq.get(slot),
    inserted: columns.insertedAt.get(slot),
    ...(state > RUNNING + 1 ? { since: columns.since.get(slot) } : {}),
    ...(extra?.dueAt == null ? {} : { due: extra.dueAt }),
    ...(flags === 0 ? {} : { flags }),
    ...(crashes === 0 ? {} : { crashes }),
    ...(round === 1 ? {} : { round }),
  }
}

function writeExtra(into: FieldWriter, ledger: Ledger, slot: number, extra: ExtraView): void {
  const { key, origin, kin, steps, discarded, movedTo } = extra
  if (extra.expiresIn !== null) into.endless('expiresIn', extra.expiresIn)
  if (extra.progress !== null) into.value('progress', extra.progress)
  const result = extra.result === null ? null : resultOn(read(ledger, extra.result))
  if (result !== null) into.encoded('result', result)
  if (discarded !== null) into.value('discarded', discarded)
  if (movedTo !== null) into.value('movedTo', movedTo)
  if (extra.final !== null) into.value('final', extra.final)
  if (extra.isDeleted) into.value('deleted', true)
  if (extra.isAway) into.value('away', true)
  if (extra.history.length > 0) into.value('history', pastWords(ledger, extra.history))
  const log = extra.log.flatMap(({ paper }) => logOn(read(ledger, paper)))
  if (log.length > 0) into.value('log', log)
  if (steps !== null) {
    const kept = steps.kept.map(({ name, paper }) => [name, stepOn(read(ledger, paper))])
    into.value('steps', { kept, told: steps.told })
  }
  if (origin !== null) {
    into.value('origin', { ...origin, history: pastWords(ledger, origin.history) })
  }
  if (kin !== null) {
    into.value('after', kin.policy)
    into.value(
      'parents',
      kin.parents.map((row) => rowWords(ledger, row)),
    )
  }
  if (key !== null) {
    const hold = ledger.queueOf(slot).keys.get(key.name)
    const isHeld = hold?.slot === slot
    into.value('key', { ...key, ...(isHeld ? { until: hold.until } : {}) })
  }
}

function pastWords(ledger: Ledger, history: readonly Past[]): PastWords[] {
  return history.map(({ paper, error, ...past }) => {
    return { ...past, error: paper === null ? error : errorOn(read(ledger, paper)) }
  })
}

function rowWords(ledger: Ledger, row: Parent): RowWords {
  const { slot, result, queue, id, end, isWaived } = row
  const at = slot < 0 ? null : [ledger.queueOf(slot).name, ledger.ids.text(slot)]
  const said = result === null ? null : resultOn(read(ledger, result))
  return { queue, id, end, isWaived, at: at as RowWords['at'], result: said } // as: a pair
}

function read(ledger: Ledger, paper: Paper): Item {
  return ledger.shelf.read(paper)
}

function words(instant: Instant): string {
  return new Date(instant).toISOString()
}
