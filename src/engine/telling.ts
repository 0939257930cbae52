/**
 * From what happened to a job to the events that say so: for verdicts of this node, and for what a
 * sweep or an operator's command did. Promises one event for every transition that took effect, told by whoever
 * brought it about; so a verdict that came too late tells nothing here of the job, but that it
 * came too late.
 */
import type { Claimed } from '../job/claim.js'
import { millraceError } from '../job/errors.js'
import type { DiscardReason, Happening, JobRef } from '../job/job.js'
import type { Settled } from '../job/verdict.js'
import type { Events } from '../observe/events.js'
import type { Judgement } from './judge.js'

interface Told {
  readonly claimed: Claimed
  readonly worker: string
}

/** What became of a run, after the store answered its verdict. */
export function tellSettled(
  events: Events,
  { claimed, worker }: Told,
  { verdict, ran }: Judgement,
  answer: Settled,
): void {
  if (answer.status === 'lost') return tellTooLate(events, claimed)
  const { queue, id, task, group, attempt } = claimed
  const run = { queue, id, task, group, attempt, worker }
  if (ran?.outcome === 'failed' || ran?.outcome === 'timeout') {
    const { duration, error, outcome } = ran
    events.emit('attempt.failed', () => ({ ...run, duration, error, outcome }))
  }
  switch (answer.state) {
    case 'completed':
      if (events.wants('job.completed')) {
        events.emit('job.completed', { ...run, duration: ran?.duration ?? 0 })
      }
      return
    case 'cancelled':
      events.emit('job.cancelled', () => {
        const reason = verdict.kind === 'cancel' ? verdict.reason : null
        return { queue, id, task, group, reason }
      })
      return
    case 'discarded':
      events.emit('job.discarded', () => {
        const asked = verdict.kind === 'discard' ? verdict : null
        const reason: DiscardReason = asked?.reason ?? 'attempts-spent'
        const message = asked?.message ?? ran?.error?.message ?? null
        const { deadLetter } = answer
        return { queue, id, task, group, attempt, reason, message, deadLetter }
      })
      return
    case 'scheduled':
    case 'available':
    case 'retryable':
    case 'running':
    case 'waiting':
      if (verdict.kind === 'retry') events.emit('job.retrying', { ...run, delay: verdict.delay })
      else if (verdict.kind === 'snooze')
        events.emit('job.snoozed', { ...run, delay: verdict.delay })
      else events.emit('job.released', run)
  }
}

/** Nobody's transition, so no job event: those were told where the job was taken away. */
function tellTooLate(events: Events, { queue, id, attempt }: Claimed): void {
  events.fault(
    millraceError({
      code: 'LEASE_LOST',
      subject: `job ${id} of queue ${queue}, attempt ${attempt}`,
      expected: 'to hold this attempt until its verdict',
      received: 'a dead token',
      remedy:
        'the verdict changed nothing; see why this process was silent for longer than its lease',
    }),
  )
}

/** What a sweep or a command did by itself. */
export function tellHappened(events: Events, happened: readonly Happening[]): void {
  for (const one of happened) tellOne(events, one)
}

function tellOne(events: Events, happened: Happening): void {
  const { queue, id, task, group, attempt, worker, late, deadLetter } = happened
  const job = { queue, id, task, group }
  const run = { ...job, attempt, worker }
  const ended = { ...job, attempt, deadLetter }
  switch (happened.kind) {
    case 'lost':
      events.emit('job.lost', run)
      events.emit('attempt.failed', { ...run, duration: 0, error: null, outcome: 'lost' })
      return tellEnd(events, happened, ended)
    case 'timeout':
      events.emit('attempt.failed', { ...run, duration: 0, error: null, outcome: 'timeout' })
      if (happened.state === 'retryable') events.emit('job.retrying', { ...run, delay: 0 })
      return tellEnd(events, happened, ended)
    case 'expired':
      events.emit('job.expired', { ...job, late })
      events.emit('job.discarded', { ...ended, reason: 'expired', message: null })
      return
    case 'spent':
      events.emit('job.discarded', { ...ended, reason: 'attempts-spent', message: null })
      return
    case 'parent-failed':
      events.emit('job.discarded', { ...ended, reason: 'parent-failed', message: null })
      return
    case 'cancelled':
      events.emit('job.cancelled', { ...job, reason: null })
  }
}

interface Ended extends JobRef {
  readonly task: string
  readonly group: string
  readonly attempt: number
  readonly deadLetter: JobRef | null
}

/** A run that was taken away may have been the job's last. */
function tellEnd(events: Events, happened: Happening, ended: Ended): void {
  const { kind, state, attempt } = happened
  if (state === 'cancelled') {
    const { queue, id, task, group } = ended
    events.emit('job.cancelled', { queue, id, task, group, reason: null })
  }
  if (state === 'discarded') {
    // Where the store does not say: a first run that was lost is most likely an at-most-once one.
    const guess = kind === 'lost' && attempt <= 1 ? 'unknown' : 'attempts-spent'
    events.emit('job.discarded', { ...ended, reason: happened.reason ?? guess, message: null })
  }
}
