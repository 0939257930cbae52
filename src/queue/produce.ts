/**
 * How jobs are made and handed in: payload and options become `NewJob`s, a call becomes a lot, and
 * the store's answer becomes what producers see. Promises that a payload is read before the call
 * first waits, so that later changes to it change nothing; that a refusal throws with its code; and
 * that of many all or none are in. Gathering calls into batches is the engine's.
 */
import { encode } from '../job/codec.js'
import { LOT_BYTES, LOT_JOBS } from '../job/defaults.js'
import { millraceError } from '../job/errors.js'
import type { JobRef } from '../job/job.js'
import type { Inserted, NewJob } from '../job/lot.js'
import { circleIn } from '../job/graph.js'
import { termsOf } from '../job/options.js'
import type { ItemOptions, JobOptions, Terms, When } from '../job/options.js'
import type { Schema } from '../job/schema.js'
import { invalid } from '../job/check.js'
import type { Settings } from '../job/settings.js'
import { noTransactions } from '../job/no-transactions.js'
import type { Parts } from '../parts.js'
import { bytesOf } from '../perform.js'
import type { Lot, TxOf } from '../transaction.js'
import { EnqueuedJob } from './enqueued.js'
import type { Enqueued } from './enqueued.js'
import { fit } from './fit.js'
import { lotTooLarge, refusal } from './refusal.js'

export type EnqueueOptions<S extends string = string> = ItemOptions & Lot<TxOf[S]>

/** The same for all (no `id`), or a function of each; then `tx` goes into the last argument. */
export type ManyOptions<In, S extends string = string> =
  (JobOptions & When & Lot<TxOf[S]>) | ((payload: In, index: number) => ItemOptions)

/** Where jobs go, and what is said of all of them. */
export interface Aim {
  readonly queue: string
  readonly task: string
  /** What the call's own options are laid over. */
  readonly base: Terms
  readonly input: Schema | null
  /** What messages call it, like `queue("emails")`. */
  readonly subject: string
}

/**
 * One job. Throws PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, QUEUE_FULL, DUPLICATE, OUTCOME_UNKNOWN. On the
 * hottest path no promise is made that could be left out, so it goes through the door by hand.
 */
export async function enqueueOne(
  parts: Parts,
  aim: Aim,
  payload: unknown,
  options: unknown,
): Promise<Enqueued<unknown>> {
  const terms = termsOf(options, aim.base, 'one', aim.subject)
  const tx = txFor(parts, aim, terms.tx)
  const job = jobOf(parts, aim, payload, terms, `${aim.subject} payload`)
  if (job.payload.text.length * 3 > LOT_BYTES) refuseBytes(aim, [job])
  refuseCircle(aim, [job])
  const jobs = [job]
  const { door } = parts.engine
  let since: number
  let answers: readonly Inserted[]
  door.enter()
  try {
    if (aim.input !== null) await fit(aim.input, payload, `${aim.subject} payload`)
    const ready = readyFor(parts, aim.queue, tx)
    if (ready !== null) await ready
    if (job.meta !== null) await refuseMeta(parts, aim, jobs, tx)
    since = parts.clock.mono()
    answers = await parts.engine.insert(tx === undefined ? { jobs } : { jobs, tx })
  } finally {
    door.leave()
  }
  await heed(parts, aim, jobs, answers)
  return enqueued(parts, job, answers[0], since)
}

/** A job that was made and checked before. */
export async function handIn(parts: Parts, aim: Aim, job: NewJob): Promise<Enqueued<unknown>> {
  const since = parts.clock.mono()
  const answers = await parts.engine.insert({ jobs: [job] })
  await heed(parts, aim, [job], answers)
  return enqueued(parts, job, answers[0], since)
}

/** Many jobs, all or none; an error names the index. */
export async function enqueueMany(
  parts: Parts,
  aim: Aim,
  payloads: readonly unknown[],
  options: unknown,
  lot: unknown,
): Promise<readonly Enqueued<unknown>[]> {
  if (!Array.isArray(payloads)) throw invalid(`${aim.subject} payloads`, 'an array', payloads)
  if (payloads.length > LOT_JOBS) throw lotTooLarge(aim, `${LOT_JOBS} jobs`, payloads.length)
  const each = eachTerms(aim, options)
  const whole = termsOf(lot, aim.base, 'lot', aim.subject)
  const jobs = payloads.map((payload: unknown, at) =>
    jobOf(parts, aim, payload, each(payload, at), `${aim.subject} payloads[${at}]`),
  )
  refuseBytes(aim, jobs)
  refuseCircle(aim, jobs)
  const tx = txFor(parts, aim, whole.tx ?? sharedTx(options))
  const sent = await parts.engine.door.through(async () => {
    if (aim.input !== null) await fitAll(aim.input, payloads, aim)
    const ready = readyFor(parts, aim.queue, tx)
    if (ready !== null) await ready
    await refuseMeta(parts, aim, jobs, tx)
    const since = parts.clock.mono()
    if (jobs.length === 0) return { since, answers: [] }
    const answers = await parts.engine.insert(tx === undefined ? { jobs } : { jobs, tx })
    return { since, answers }
  })
  const { since, answers } = sent
  if (jobs.length > 0) await heed(parts, aim, jobs, answers)
  return jobs.map((job, at) => enqueued(parts, job, answers[at], since))
}

/** The terms of each of many: the same for all, or asked of the user's function. */
function eachTerms(aim: Aim, options: unknown): (payload: unknown, at: number) => Terms {
  if (typeof options !== 'function') {
    const all = termsOf(options, aim.base, 'all', aim.subject)
    return () => all
  }
  const ask = options as (payload: unknown, at: number) => unknown // as: called as `ManyOptions` says
  return (payload, at) =>
    termsOf(ask(payload, at), aim.base, 'each', `${aim.subject} options(${at})`)
}

function sharedTx(options: unknown): unknown {
  return typeof options === 'object' && options !== null && 'tx' in options ? options.tx : undefined
}

export function jobOf(
  parts: Parts,
  aim: Aim,
  payload: unknown,
  terms: Terms,
  subject: string,
): NewJob {
  return {
    queue: aim.queue,
    id: terms.id ?? parts.engine.newId(),
    ownId: terms.id !== null,
    task: aim.task,
    payload: encode(payload, subject),
    priority: terms.priority,
    group: terms.group,
    delay: terms.delay,
    at: terms.at,
    unique: terms.unique,
    attempts: terms.attempts,
    timeout: terms.timeout,
    expiresIn: terms.expiresIn,
    after: terms.after,
    onParentFailed: terms.onParentFailed,
    tags: terms.tags,
    meta: terms.meta,
    origin: null,
  }
}

/** The caller's transaction, for the store; refused where it has none, passed over in tests. */
function txFor({ transactions, engine, declared }: Parts, aim: Aim, tx: unknown): unknown {
  if (tx === undefined || transactions.kind === 'pretended') return undefined
  const { traits } = engine.store
  if (!traits.transactions) throw noTransactions(`${aim.subject}.tx`)
  if (traits.reach === 'process' && !declared.isOpen) throw unopened(`${aim.subject}.tx`)
  return tx
}

/** With one session it would open behind the caller's transaction, which waits for it. */
function unopened(subject: string): Error {
  const remedy = 'call mill.open(), and await it, before you begin the transaction'
  return invalid(subject, 'a store that is open already', 'one that is not yet', remedy)
}

/** Whether nothing of the store answers beside it: what needs one is done with what is known. */
function isAlone({ engine }: Parts, tx: unknown): boolean {
  return tx !== undefined && engine.store.traits.reach !== 'network'
}

/**
 * The store is open and knows what this process declared of the queue. Where the whole store has one
 * writer, that may have to wait for the caller's transaction, so the caller does not wait for it.
 */
function readyFor(parts: Parts, queue: string, tx: unknown): Promise<void> | null {
  const { declared } = parts
  const ready = declared.ready(queue)
  if (ready === null || !isAlone(parts, tx)) return ready
  ready.catch(() => undefined) // it is written with the next call that waits for it, and told there
  return declared.reach()
}

async function fitAll(input: Schema, payloads: readonly unknown[], aim: Aim): Promise<void> {
  for (const [at, payload] of payloads.entries()) {
    await fit(input, payload, `${aim.subject} payloads[${at}]`)
  }
}

function refuseBytes(aim: Aim, jobs: readonly NewJob[]): void {
  let bytes = 0
  for (const { payload, meta, after } of jobs) {
    bytes += Buffer.byteLength(payload.text) + (meta === null ? 0 : Buffer.byteLength(meta.text))
    for (const { queue, id } of after) bytes += queue.length + id.length
  }
  if (bytes <= LOT_BYTES) return
  const [{ payload }] = jobs
  const isOne = jobs.length === 1 && Buffer.byteLength(payload.text) > LOT_BYTES
  throw isOne ? tooLarge(aim, bytes) : lotTooLarge(aim, `${LOT_BYTES} bytes`, bytes)
}

/** Whatever limit its queue has. */
function tooLarge(aim: Aim, bytes: number): Error {
  return millraceError({
    code: 'PAYLOAD_TOO_LARGE',
    subject: `${aim.subject} payload`,
    expected: `at most ${LOT_BYTES} bytes`,
    received: bytes,
    remedy: 'store it elsewhere, and enqueue where it is',
  })
}

/** Jobs that wait for each other would wait for ever. */
function refuseCircle(aim: Aim, jobs: readonly NewJob[]): void {
  const circle = circleIn(jobs)
  if (circle === null) return
  const path = circle.map(({ id }) => JSON.stringify(id)).join(' after ')
  throw invalid(`${aim.subject}.after`, 'jobs that do not wait for each other', path, 'break it')
}

/** `limits.metaBytes` is kept here; that of payloads by the store, which has the last word on it. */
async function refuseMeta(
  parts: Parts,
  aim: Aim,
  jobs: readonly NewJob[],
  tx: unknown,
): Promise<void> {
  const { declared } = parts
  const settings = async (age: 'fresh' | 'now'): Promise<Settings> =>
    isAlone(parts, tx) ? declared.supposed(aim.queue) : declared.settings(aim.queue, age)
  for (const [at, { meta }] of jobs.entries()) {
    if (meta === null) continue
    let limit = (await settings('fresh')).limits.metaBytes
    if (bytesOf(meta, limit) <= limit) continue
    limit = (await settings('now')).limits.metaBytes
    const bytes = bytesOf(meta, limit)
    if (bytes <= limit) continue
    throw millraceError({
      code: 'PAYLOAD_TOO_LARGE',
      subject: jobs.length === 1 ? `${aim.subject}.meta` : `${aim.subject} payloads[${at}] meta`,
      expected: `at most ${limit} bytes of meta (limits.metaBytes)`,
      received: bytes,
      remedy: 'put it into the payload, or raise the limit',
    })
  }
}

/** What the answers mean beside what the caller gets: a throw, a record, events. */
async function heed(
  parts: Parts,
  aim: Aim,
  jobs: readonly NewJob[],
  answers: readonly Inserted[],
): Promise<void> {
  const at = answers.findIndex(isRefused)
  if (at >= 0) throw refused(parts, aim, answers[at], jobs.length === 1 ? '' : ` payloads[${at}]`)
  if (parts.onInserted !== null) await parts.onInserted(fresh(jobs, answers))
  tell(parts, jobs, answers)
}

function isRefused({ status }: Inserted): boolean {
  return status === 'refused'
}

function refused(parts: Parts, aim: Aim, answer: Inserted, place: string): Error {
  const error = refusal(answer, `${aim.subject}${place}`)
  const { queue, task } = aim
  parts.engine.events.emit('job.refused', () => ({ queue, task, code: error.code }))
  return error
}

/** The jobs that this call made or changed. */
function fresh(jobs: readonly NewJob[], answers: readonly Inserted[]): readonly JobRef[] {
  return answers.flatMap((answer, at) =>
    answer.status === 'inserted' || answer.status === 'replaced'
      ? [{ queue: jobs[at].queue, id: answer.id }]
      : [],
  )
}

function enqueued(parts: Parts, job: NewJob, answer: Inserted, since: number): Enqueued<unknown> {
  switch (answer.status) {
    case 'inserted':
      return new EnqueuedJob(parts, { queue: job.queue, id: answer.id }, 'enqueued', since)
    case 'duplicate':
    case 'replaced':
      return new EnqueuedJob(parts, { queue: job.queue, id: answer.id }, answer.status, since)
    case 'refused':
    case 'withdrawn':
      throw refusal(answer, job.queue)
  }
}

/** Tells observers, if there are any: what nobody hears is not built. */
function tell(parts: Parts, jobs: readonly NewJob[], answers: readonly Inserted[]): void {
  const { events } = parts.engine
  const names = ['job.enqueued', 'job.replaced', 'job.discarded'] as const
  if (!names.some((name) => events.wants(name))) return
  for (const [at, { queue, task, group, delay, at: instant }] of jobs.entries()) {
    const answer = answers[at]
    if (answer.status !== 'inserted' && answer.status !== 'replaced') continue
    const ref = { queue, id: answer.id, task, group }
    if (answer.status === 'replaced') {
      events.emit('job.replaced', ref)
      continue
    }
    const dueIn = instant === null ? delay : Math.max(0, instant - parts.clock.wall())
    const waits = answer.state === undefined ? null : 'waiting'
    events.emit('job.enqueued', {
      ...ref,
      state: waits ?? (dueIn > 0 ? 'scheduled' : 'available'),
      dueIn,
    })
    if (answer.state === 'discarded') {
      const end = { attempt: 0, reason: 'parent-failed', message: null } as const
      events.emit('job.discarded', { ...ref, ...end, deadLetter: answer.deadLetter ?? null })
    }
  }
}
