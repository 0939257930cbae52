/**
 * What a random walk writes down, in words that two stores share: a line for each thing done with
 * what was heard. Tokens and cursors are left out; an id that a store made itself is called by when
 * it was first seen. So two walks of one seed read alike exactly when their stores answered alike.
 */
import type { Claimed } from '../../job/claim.js'
import type { Happening, Instant, JobRecord, JobRef } from '../../job/job.js'
import type { Inserted } from '../../job/lot.js'
import type { Settled } from '../../job/verdict.js'

export class Tale {
  readonly lines: string[] = []
  /** Ids that the walk made. */
  readonly #own = new Set<string>()
  readonly #names = new Map<string, string>()

  /** An id that is told as it is. */
  own(id: string): string {
    this.#own.add(id)
    return id
  }

  tell(what: string, ...words: readonly unknown[]): void {
    this.lines.push(`${what} ${words.map((word) => JSON.stringify(word)).join(' ')}`)
  }

  /** The last lines, for who asks what went before. */
  last(count: number): string {
    return this.lines.slice(-count).join('\n')
  }

  name({ queue, id }: JobRef): string {
    if (this.#own.has(id)) return `${queue}/${id}`
    const known = this.#names.get(id) ?? `made-${this.#names.size + 1}`
    this.#names.set(id, known)
    return `${queue}/${known}`
  }

  claimed(jobs: readonly Claimed[]): unknown[] {
    return jobs.map((job) => [this.name(job), job.attempt, job.round, job.crashes, job.waited])
  }

  /** Dead letters of what fell at once have names of the store's own. */
  inserted(answers: readonly Inserted[]): unknown[] {
    return answers.map((answer) => {
      const letter = answer.status === 'inserted' ? answer.deadLetter : null
      return letter == null ? answer : { ...answer, deadLetter: this.name(letter) }
    })
  }

  settled(answer: Settled): unknown {
    if (answer.status === 'lost') return 'lost'
    return [answer.state, answer.deadLetter === null ? null : this.name(answer.deadLetter)]
  }

  /** In an order of its own: in which order a sweep finds things is nobody's promise. */
  happened(all: readonly Happening[]): unknown[] {
    const told = all.map((one) => [this.name(one), one.kind, one.state, one.attempt, one.late])
    return told.sort((a, b) => (String(a) < String(b) ? -1 : 1))
  }

  record(job: JobRecord, now: Instant): string {
    const { state, attempt, priority, group, progress, reason } = job
    const told = [state, attempt, priority, group, job.dueAt - now, progress, reason]
    return [this.name(job), ...told, job.history.length, job.log.length, job.payload.text].join(' ')
  }
}
