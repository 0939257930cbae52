/** The gates in words, each with its numbers; one line a gate. */
import type { JobRef } from '../job/job.js'
import type { Gate } from '../queue/explain.js'
import { formatDuration } from '../time/duration.js'
import { away, count, instant, safe } from './plain.js'

/** `queue`: in which it is told, so that its own jobs need only their ids. */
export function gateWords(gate: Gate, queue: string, now: number): string {
  const named = (ref: JobRef): string =>
    safe(ref.queue === queue ? ref.id : `${ref.queue}/${ref.id}`)
  const some = (refs: readonly JobRef[], all: number): string => {
    const names = refs.map(named).join(', ')
    return all > refs.length ? `${names} and ${count(all - refs.length)} more` : names
  }
  const since = (at: Date): string => `since ${instant(at)} (${away(at, now)})`
  switch (gate.kind) {
    case 'final':
      return `${gate.state} ${since(gate.since)}`
    case 'running':
      return `runs in worker ${safe(gate.worker)} ${since(gate.since)}, attempt ${gate.attempt}`
    case 'parents': {
      const { unfinished, failed, first } = gate
      const broken = failed === 0 ? '' : `, ${count(failed)} of them failed`
      return `waits for ${jobs(unfinished + failed)}${broken}: ${some(first, unfinished + failed)}`
    }
    case 'not-due':
      return gate.state === 'retryable'
        ? `failed; its next attempt is due ${soon(gate.opensIn)}`
        : `not due: ${soon(gate.opensIn)}`
    case 'ending':
      return gate.reason === 'expired'
        ? 'expired; the next sweep discards it'
        : 'its attempts are spent; the next sweep discards it'
    case 'paused': {
      const what = gate.what === 'all' ? 'everything is' : `its ${gate.what} is`
      return `${what} paused ${gate.where}, ${since(gate.since)}, by ${safe(gate.by)}`
    }
    case 'moving': {
      const way = gate.side === 'moving' ? 'is moving to' : 'is arriving from'
      return `its ${gate.what} ${way} ${safe(gate.with)}, ${since(gate.since)}`
    }
    case 'throttled':
      return `its ${gate.what} rests because a handler asked for it: opens ${soon(gate.opensIn)}`
    case 'cap':
      return `${gate.running} of ${gate.limit} of its ${gate.what} run: ${some(gate.first, gate.running)}`
    case 'group-blocked': {
      const next = gate.opensIn === null ? '' : `, next try ${soon(gate.opensIn)}`
      const who = `job ${named(gate.by)} (${gate.state}, attempt ${gate.attempt} of ${gate.maxAttempts}${next})`
      return `group ${safe(gate.group)} is held by ${who}`
    }
    case 'rate': {
      const spent = `${count(gate.spent)} of ${count(gate.count)} in ${formatDuration(gate.per)}`
      const whose = gate.key === '' ? 'those without a name' : safe(gate.key)
      return `rate of ${gate.what} ${whose}: ${spent} are spent; opens ${soon(gate.opensIn)}`
    }
    case 'alone': {
      const { crashes, busyWorkers } = gate
      return `was in ${crashes} crashes: it needs a worker that runs nothing else; ${busyWorkers} are busy`
    }
    case 'no-worker': {
      const others =
        gate.workers === 0 ? 'the queue has none' : `${gate.workers} do not take it now`
      return `no live worker takes task ${safe(gate.task)}: ${others}`
    }
  }
}

function soon(span: number): string {
  return span === 0 ? 'at the next claim' : `in ${formatDuration(span)}`
}

function jobs(many: number): string {
  return many === 1 ? 'a job' : `${count(many)} jobs`
}
