/**
 * Delivering as mail is delivered, by a process that is not the keeper: write to `tmp`, sync, move
 * into `new`, sync the folder. No lock, no answer, and nobody need keep the folder; any number of
 * processes do it at once. It is for jobs whose insertion has one outcome only. What may be refused
 * or be another job (a unique key, an id of the user's, parents, a limit) is asked of the keeper,
 * and so are lots of several jobs, which are all or none, and the first job of a queue.
 */
import type { Disk } from '../../disk/disk.js'
import { isFull, isOfSystem } from '../../disk/errno.js'
import { removeIfThere, writeAll } from '../../disk/place.js'
import { encodeName } from '../../disk/names.js'
import { effective, NEVER_SAID } from '../../job/effective.js'
import type { Millis } from '../../job/job.js'
import type { Inserted, Lot, NewJob } from '../../job/lot.js'
import type { StoredSettings } from '../../job/settings.js'
import { Fields } from './fields.js'
import { full } from '../../disk/reserve.js'
import { unknown, unreachable } from './faults.js'
import type { KeeperParts } from './keeper.js'
import { readText } from './layout.js'
import { mailName, mailText } from './mail.js'
import { paperFront } from './papers.js'
import { Spare } from './spare.js'

export interface DelivererParts extends KeeperParts {
  readonly durability: 'power' | 'process'
}

/** More at once are asked of the keeper, who has one sync for all of them. */
const AT_ONCE = 16
/** No unit of a string takes more bytes. */
const BYTES_OF_A_UNIT = 3
/** Whether a queue has limits is looked up again after so long. */
const KNOWN_FOR: Millis = 1_000

export class Deliverer {
  readonly #parts: DelivererParts
  readonly #spare: Spare
  readonly #queues = new Map<string, { readonly at: Millis; readonly most: number }>()
  #number = 0

  constructor(parts: DelivererParts) {
    this.#parts = parts
    this.#spare = new Spare(parts.disk, parts.layout, parts.nonce)
  }

  /** Null: it has to be asked. */
  async insert(lots: readonly Lot[]): Promise<readonly (readonly Inserted[])[] | null> {
    // Where a disk is full the keeper says so, or sets aside what is missing.
    if (lots.length > AT_ONCE || !this.#spare.isKept) return null
    const jobs: NewJob[] = []
    for (const lot of lots) {
      const [job] = lot.jobs
      if (lot.jobs.length !== 1 || !needsNoAnswer(job)) return null
      if (job.payload.text.length * BYTES_OF_A_UNIT > this.#most(job.queue)) return null
      jobs.push(job)
    }
    await this.#deliver(jobs)
    return jobs.map(({ id }) => [{ status: 'inserted', id }])
  }

  /** The largest payload that the queue takes from everybody; 0: it has to be asked for each. */
  #most(queue: string): number {
    const now = this.#parts.host.up()
    const known = this.#queues.get(queue)
    if (known !== undefined && now - known.at < KNOWN_FOR) return known.most
    const most = this.#look(queue)
    this.#queues.set(queue, { at: now, most })
    return most
  }

  #look(queue: string): number {
    const { disk, layout } = this.#parts
    const folder = `${layout.scope}/${encodeName(queue)}`
    if (disk.facts(`${folder}/new`) === null || disk.facts(`${folder}/tmp`) === null) return 0
    const front = `${paperFront({ kind: 'settings', queue })}.g`
    const name = disk.list(layout.papers).find((one) => one.startsWith(front))
    if (name === undefined) return effective(NEVER_SAID).limits.payloadBytes
    try {
      const fields = Fields.read(readText(disk, `${layout.papers}/${name}`))
      const stored = fields?.endless<StoredSettings | null>('stored', null) ?? null
      if (stored === null) return 0
      const { backlog, payloadBytes } = effective(stored).limits
      return backlog === Infinity ? payloadBytes : 0
    } catch {
      return 0 // it was replaced between the two looks: the keeper knows
    }
  }

  async #deliver(jobs: readonly NewJob[]): Promise<void> {
    const { disk, layout } = this.#parts
    const folders = new Set<string>()
    const drafts = jobs.map((job) => {
      const folder = `${layout.scope}/${encodeName(job.queue)}`
      folders.add(`${folder}/new`)
      return this.#draft(job, folder)
    })
    const written = await Promise.allSettled(drafts.map(({ write }) => write()))
    const failed = written.find((one) => one.status === 'rejected')
    if (failed !== undefined) {
      for (const { draft } of drafts) discard(disk, draft)
      const reason: unknown = failed.reason
      throw isFull(reason) ? full(layout.scope, reason) : unreachable(layout.scope, reason)
    }
    try {
      for (const { draft, path } of drafts) disk.rename(draft, path)
      if (this.#parts.durability === 'process') return
      await Promise.all([...folders].map((folder) => disk.syncFolder(folder)))
    } catch (error) {
      throw unknown(layout.scope, error)
    }
  }

  #draft(job: NewJob, folder: string): Draft {
    const { disk, host, hostname, durability, nonce } = this.#parts
    const name = mailName(job, hostname, ++this.#number, host.wall())
    const draft = `${folder}/tmp/${nonce}-${this.#number}`
    const write = async (): Promise<void> => {
      const file = disk.create(draft)
      try {
        writeAll(file, Buffer.from(mailText(job, host)))
        if (durability === 'power') await file.sync()
      } finally {
        file.close()
      }
    }
    return { draft, path: `${folder}/new/${name}`, write }
  }
}

interface Draft {
  readonly draft: string
  readonly path: string
  /** Writes it, and syncs it where that is asked for. */
  readonly write: () => Promise<void>
}

/** Nobody reads drafts; one that stays is removed by a keeper a while later. */
function discard(disk: Disk, draft: string): void {
  try {
    removeIfThere(disk, draft)
  } catch (error) {
    if (!isOfSystem(error)) throw error
  }
}

function needsNoAnswer({ unique, after, ownId, origin }: NewJob): boolean {
  return unique === null && after.length === 0 && !ownId && origin === null
}
