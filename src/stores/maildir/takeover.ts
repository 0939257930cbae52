/**
 * What others did with mail and letters, taken as it is meant and made durable like any other
 * change: mail becomes jobs, a removed letter deletes its job, one that was moved out of where
 * finals lie into `new` is a retry, an edit of what waits changes payload and priority. What is
 * meant by nobody (a bad edit, a second letter of a job, a stranger) goes to quarantine with the
 * reason, and the letter of the job is written again.
 */
import type { Host } from '../../disk/host.js'
import type { Disk } from '../../disk/disk.js'
import { hasCode, isForbidden, isMissing, isOfSystem } from '../../disk/errno.js'
import { decodeName } from '../../disk/names.js'
import type { Encoded } from '../../job/codec.js'
import { COMPLETED, RECEIPT } from '../../job/book/columns.js'
import type { ControlItem } from '../../job/book/frame.js'
import type { NewJob } from '../../job/lot.js'
import { oversized } from '../book/sizes.js'
import { Fields } from './fields.js'
import type { Takers } from './hands.js'
import { readText } from './layout.js'
import type { Layout } from './layout.js'
import { readLetter } from './letter-read.js'
import type { Letter } from './letter-read.js'
import { readName } from './letter-name.js'
import type { Life } from './life.js'
import type { Move } from './moves.js'
import { readMail } from './mail.js'
import { payloadOn } from '../book/items.js'
import { checkEdit } from './reading.js'

export interface TakeoverParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly host: Host
  readonly nonce: string
  readonly newId: () => string
  readonly warn: (message: string) => void
}

/** What is no JSON may still be on its way for so long. */
const ON_ITS_WAY = 5_000
/** Mail that is taken in by one frame. */
const AT_ONCE = 500

export class Takeover implements Takers {
  readonly #parts: TakeoverParts
  readonly #life: Life

  constructor(life: Life, parts: TakeoverParts) {
    this.#life = life
    this.#parts = parts
  }

  isOwn(path: string): boolean {
    return this.#life.isOwn(path)
  }

  known(): Iterable<string> {
    return this.#life.clerk.paths()
  }

  // ── Mail ─────────────────────────────────────────────────────────────────────────────────────

  /** Each is tried once, whatever became of those before it. */
  mail(paths: readonly string[]): readonly string[] {
    const later: string[] = []
    for (let at = 0; at < paths.length; at += AT_ONCE) {
      later.push(...this.#someMail(paths.slice(at, at + AT_ONCE)))
    }
    return later
  }

  #someMail(paths: readonly string[]): readonly string[] {
    const { ledger } = this.#life.book
    const underWay = this.#life.underWay()
    const later: string[] = []
    const taken: { readonly path: string; readonly job: NewJob }[] = []
    for (const path of paths) {
      if (underWay.has(path) || this.#life.clerk.slotAt(path) !== undefined) continue
      const job = this.#open(path)
      if (job === 'later') later.push(path)
      else if (job === null) continue
      else if (oversized(ledger, [job]) !== null) {
        this.#away(path, 'its payload is larger than its queue takes')
      } else taken.push({ path, job })
    }
    if (taken.length === 0) return later
    return [...later, ...this.#takeIn(taken)]
  }

  /** Answers the files of those for which there is no room yet, in their queue or on the disk. */
  #takeIn(mail: readonly { readonly path: string; readonly job: NewJob }[]): string[] {
    const { clerk, book } = this.#life
    const items = mail.map(({ job }) => job)
    const frame = { kind: 'insert', lots: items.map(() => 1), items } as const
    if (!this.#life.spare.hasRoomFor(frame)) return mail.map(({ path }) => path)
    const full: string[] = []
    this.#life.commit(frame, (answers) => {
      const twice: Move[] = []
      answers.forEach(({ status }, at) => {
        const { path, job } = mail[at]
        if (status === 'inserted') clerk.found(book.ledger.find(job), path)
        else if (status === 'duplicate') twice.push({ was: path, path: null, text: null })
        else full.push(path)
      })
      return twice
    })
    return full
  }

  /** Null: it is gone, or put away. */
  #open(path: string): NewJob | 'later' | null {
    const { host, newId } = this.#parts
    const [segment, , name] = path.split('/')
    try {
      const text = this.#read(path)
      if (text === null) return null
      const queue = decodeName(segment)
      if (queue === null)
        throw new Error('the name of its queue is too long to be told by a folder')
      return readMail({ name, text, queue }, host, newId)
    } catch (error) {
      if (this.#isFresh(path) || isOfDisk(error)) return 'later'
      this.#away(path, wordsOf(error))
      return null
    }
  }

  // ── Letters ──────────────────────────────────────────────────────────────────────────────────

  letters(paths: readonly string[]): readonly string[] {
    const { clerk } = this.#life
    const underWay = this.#life.underWay()
    const later: string[] = []
    const [gone, arrived]: [number[], string[]] = [[], []]
    for (const path of paths) {
      if (underWay.has(path)) {
        later.push(path)
        continue
      }
      const slot = clerk.slotAt(path)
      const isThere = this.#isThere(path)
      if (slot === undefined && isThere) arrived.push(path)
      else if (slot !== undefined && isThere) this.#lookInto(path, slot)
      else if (slot !== undefined) gone.push(slot)
    }
    for (const path of arrived) if (!this.#arrived(path)) later.push(path)
    const items = gone.flatMap((slot): ControlItem[] => {
      const path = clerk.letter(slot)
      // One that arrived elsewhere is there again.
      if (path === undefined || underWay.has(path) || this.#life.underWay().has(path)) return []
      return this.#isThere(path) ? [] : [{ ...this.#ref(slot), action: 'delete' }]
    })
    if (items.length > 0) this.#life.commit({ kind: 'control', items })
    return later
  }

  /** A file that was not there: a letter from elsewhere, or a stranger. False: look again later. */
  #arrived(path: string): boolean {
    const text = this.#read(path)
    if (text === null) return true
    const isNamed = readName(path.slice(path.lastIndexOf('/') + 1)) !== null
    const letter = isNamed ? lettersIn(text) : null
    if (letter !== null) {
      this.#moved(path, letter)
      return true
    }
    if (this.#isFresh(path)) return false
    this.#away(path, isNamed ? 'it is no letter' : 'its name is none that Millrace gives')
    return true
  }

  #moved(path: string, { queue, id }: Letter): void {
    const { clerk, book } = this.#life
    const slot = book.ledger.find({ queue, id })
    const lay = slot < 0 ? undefined : clerk.letter(slot)
    if (lay === undefined) return this.#away(path, 'nobody knows a job of that id here any more')
    if (this.#isThere(lay)) return this.#away(path, `another letter of job ${id} lies in ${lay}`)
    const state = book.ledger.columns.state.get(slot)
    clerk.found(slot, path)
    const isRetry = path.split('/')[1] === 'new' && state >= COMPLETED && state < RECEIPT
    if (isRetry) {
      const items = [{ ...this.#ref(slot), action: 'retry' as const }]
      // From where it was moved it is gone for good, too: else the power might bring it back.
      const left: Move = { was: lay, path: null, text: null }
      this.#life.commit({ kind: 'control', items }, () => [left])
    } else {
      this.#life.rewrite([slot])
      this.#parts.warn(`${path} was moved by hand, where that means nothing: it is put back`)
    }
  }

  /** A letter that lies where it shall: has somebody changed what it says? */
  #lookInto(path: string, slot: number): void {
    const text = this.#read(path)
    if (text === null || Fields.read(text)?.isSound === true) return
    try {
      const fields = Fields.read(text)
      if (fields === null) throw new Error('it is neither whole nor JSON')
      if (!/^[^/]+\/(?:new|wait)\//.test(path)) throw new Error('it was edited where nothing waits')
      const letter = readLetter(fields)
      checkEdit(letter)
      this.#edit(path, slot, letter)
    } catch (error) {
      this.#away(path, wordsOf(error))
      this.#life.rewrite([slot])
    }
  }

  #edit(path: string, slot: number, { job, priority, queue, id }: Letter): void {
    const { ledger } = this.#life.book
    const ref = this.#ref(slot)
    if (queue !== ref.queue || id !== ref.id || job === null) {
      throw new Error('it was edited where only its keeper writes')
    }
    const isPayload = job.payload.text !== this.#payload(slot).text
    const isRank = priority !== ledger.columns.priority.get(slot) - 100
    if (!isPayload && !isRank) {
      this.#parts.warn(
        `${path} was edited where only payload and priority are taken: it is put back`,
      )
      this.#life.rewrite([slot])
      return
    }
    const change = {
      payload: isPayload ? job.payload : null,
      priority: isRank ? priority : null,
      ...{ delay: null, at: null },
    }
    this.#life.commit({ kind: 'control', items: [{ ...ref, action: 'update', ...change }] })
  }

  #payload(slot: number): Encoded {
    const { ledger } = this.#life.book
    const paper = ledger.findExtra(slot)?.payload ?? null
    const updated = paper === null ? null : payloadOn(ledger.shelf.read(paper))
    return updated ?? ledger.shelf.jobs([slot])[0].payload
  }

  // ── On the disk ──────────────────────────────────────────────────────────────────────────────

  #ref(slot: number): { readonly queue: string; readonly id: string } {
    const { ledger } = this.#life.book
    return { queue: ledger.queueOf(slot).name, id: ledger.ids.text(slot) }
  }

  #full(path: string): string {
    return `${this.#parts.layout.scope}/${path}`
  }

  #isThere(path: string): boolean {
    return this.#parts.disk.facts(this.#full(path)) !== null
  }

  /** Somebody may be writing it still. */
  #isFresh(path: string): boolean {
    const facts = this.#parts.disk.facts(this.#full(path))
    return facts !== null && this.#parts.host.wall() - facts.modified < ON_ITS_WAY
  }

  /** Null: it is gone. */
  #read(path: string): string | null {
    try {
      return readText(this.#parts.disk, this.#full(path))
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  #away(path: string, why: string): void {
    this.#life.putAway(path, why)
    this.#parts.warn(`${path} was put into quarantine: ${why}`)
  }
}

/** Null: it is no letter. */
function lettersIn(text: string): Letter | null {
  try {
    const fields = Fields.read(text)
    return fields === null ? null : readLetter(fields)
  } catch {
    return null // whoever asks puts it away with a reason
  }
}

/** It is not the file's fault: it may be read another time. */
function isOfDisk(error: unknown): boolean {
  return isOfSystem(error) && !isForbidden(error) && !hasCode(error, ['EISDIR', 'ELOOP'])
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
