/**
 * What others did in the folders while a keeper works: mail that was delivered, and letters that
 * people removed, moved or edited. The system tells which names have changed; what the keeper did
 * itself it passes over, the rest is looked at: mail at once, the others when nothing has happened
 * for a moment, since an editor or `mv` of many takes several steps.
 *
 * News may be lost: the system drops what nobody fetches in time, and says nothing of it. So small
 * folders are listed whenever they have changed; a large one when there is a reason to doubt the news
 * of it: the keeper did something there and was not told, it changed and nobody told anything, or so
 * much was told that the rest may have been dropped. Then letters that were written lately are
 * looked into as well, a few at a time.
 *
 *     seen ──▶ mail ──────────────▶ taken in
 *          └─▶ suspects ──settle──▶ gone: deleted · moved: retried or put back · edited: updated
 *                                   stranger, bad edit: quarantine, with the reason
 */
import type { Disk } from '../../disk/disk.js'
import type { Instant, Millis } from '../../job/job.js'
import type { Clock, Timer } from '../../time/clock.js'
import type { Layout } from './layout.js'
import { queueFolders } from './layout.js'
import { isMail } from './mail.js'

/** Where others may do something. In `cur` and `receipts` nobody else has any business. */
export const OPEN_TRAYS = ['new', 'wait', 'done', 'cancelled', 'dead'] as const

/** What takes it as it is meant; see `takeover.ts`. Paths are below the scope. */
export interface Takers {
  /** The keeper did this itself, and hears of it now. */
  isOwn(path: string): boolean
  /** Answers what is to be looked at again later. */
  mail(paths: readonly string[]): readonly string[]
  letters(paths: readonly string[]): readonly string[]
  /** Where letters of the keeper lie, or shall. */
  known(): Iterable<string>
}

export interface HandsParts {
  readonly disk: Disk
  readonly layout: Layout
  /** Null: nothing is waited for. */
  readonly clock: Clock | null
  readonly warn: (message: string) => void
  readonly takers: Takers
  /** By the clock of the file system. */
  readonly wall: () => Instant
}

/** Nothing has happened for so long: whoever did something has done it. */
const SETTLED: Millis = 250
/** Folders with more letters are not listed without a reason. */
const LISTED = 5_000
/** And then for at most this part of the time. */
const LISTING_SHARE = 1 / 100
/** Told within so long: half of what the system keeps for who does not fetch it. */
const FLOOD = 8_000
const FLOOD_WITHIN: Millis = 250
/** News of a change come within this, or not at all. */
const NEWS_WITHIN: Millis = 1_000
/** News that were lost are noticed so much later at most: what was written since is looked into. */
const NOTICED: Millis = 30_000
/** Letters whose times are looked at in one go, and how long others have their turn after it. */
const TIMES_AT_ONCE = 500
const BETWEEN_TIMES: Millis = 50

export class Hands {
  readonly #parts: HandsParts
  readonly #watched = new Map<string, () => void>()
  /** By tray: when its folder had been changed last, when it was listed. */
  readonly #listed = new Map<string, Millis>()
  /** By tray: how many letters lay there when it was listed, and when it may be listed again. */
  readonly #sizes = new Map<string, number>()
  readonly #restUntil = new Map<string, number>()
  /** Trays of which news may have been lost; those of which some came since the last round. */
  readonly #doubted = new Set<string>()
  readonly #heard = new Set<string>()
  /** Trays that had changed then, without any news. */
  readonly #unheard = new Map<string, Millis>()
  #told = 0
  #toldSince: Millis = 0
  #isFlood = false
  /** Letters to be looked into if they were written since. */
  #written: { readonly path: string; readonly since: Instant }[] = []
  #reading: Timer | null = null
  #mail = new Set<string>()
  #suspects = new Set<string>()
  #isAsked = false
  #timer: Timer | null = null
  #isClosed = false

  constructor(parts: HandsParts) {
    this.#parts = parts
  }

  /** The folders of a queue are there: what happens in them from now on is heard. */
  listen(queue: string): void {
    const { disk, layout } = this.#parts
    for (const tray of OPEN_TRAYS) {
      const path = `${queue}/${tray}`
      if (this.#isClosed || this.#watched.has(path)) continue
      const onChange = (name?: string | null): void => this.#seen(path, name ?? null)
      this.#watched.set(path, disk.watch(`${layout.scope}/${path}`, onChange))
    }
  }

  /** They were made just now. Who saw them before they were watched may have delivered already. */
  made(queue: string): void {
    const { disk, layout } = this.#parts
    const tray = `${queue}/new`
    const isNew = !this.#watched.has(tray) && !this.#isClosed
    this.listen(queue)
    if (!isNew) return
    this.#do(() => {
      const paths = disk.list(`${layout.scope}/${tray}`).map((name) => `${tray}/${name}`)
      for (const path of paths) if (isMail(path)) this.#mail.add(path)
    })
    this.#ask()
  }

  /** Of these deeds of the keeper nobody told: then those of others may not have been told either. */
  doubt(deeds: readonly string[]): void {
    for (const path of deeds) {
      const tray = path.slice(0, path.lastIndexOf('/'))
      if (this.#watched.has(tray)) this.#doubted.add(tray)
    }
  }

  /** What happened before somebody listened, or was not heard, is looked for. */
  goRound(): void {
    const { disk, layout } = this.#parts
    if (this.#isFlood) for (const tray of this.#watched.keys()) this.#doubted.add(tray)
    this.#isFlood = false
    for (const queue of queueFolders(disk, layout)) {
      for (const tray of OPEN_TRAYS) {
        const path = `${queue}/${tray}`
        const facts = disk.facts(`${layout.scope}/${path}`)
        if (facts === null) continue
        this.listen(queue)
        if ((this.#sizes.get(path) ?? 0) > LISTED) this.#goToLarge(path, facts.modified)
        else this.#goToSmall(path, facts.modified)
      }
    }
    this.flush()
  }

  #goToSmall(tray: string, modified: Instant): void {
    const isDoubted = this.#doubted.delete(tray)
    if (this.#listed.get(tray) === modified && !isDoubted) return
    this.#listed.set(tray, modified)
    this.#list(tray, isDoubted)
  }

  /** Its listing holds up the loop, so it wants a reason, and a rest. */
  #goToLarge(tray: string, modified: Instant): void {
    const now = this.#now()
    if (this.#listed.get(tray) !== modified) {
      this.#listed.set(tray, modified)
      if (!this.#heard.delete(tray) && !this.#unheard.has(tray)) this.#unheard.set(tray, now)
    }
    if (now - (this.#unheard.get(tray) ?? Infinity) > NEWS_WITHIN) this.#doubted.add(tray)
    if (!this.#doubted.has(tray) || now < (this.#restUntil.get(tray) ?? 0)) return
    this.#doubted.delete(tray)
    this.#unheard.delete(tray)
    this.#list(tray, true)
    this.#restUntil.set(tray, now + (this.#now() - now) / LISTING_SHARE)
  }

  #now(): Millis {
    return this.#parts.clock?.mono() ?? 0
  }

  /** What was seen and can be decided is done now: whoever asks the keeper has delivered before. */
  flush(): void {
    if (this.#isClosed) return
    if (this.#mail.size > 0) this.#do(() => this.#takeMail())
    if (this.#parts.clock === null) this.#settle()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#reading?.cancel()
    for (const unwatch of this.#watched.values()) unwatch()
    this.#watched.clear()
  }

  #seen(tray: string, name: string | null): void {
    if (this.#isClosed) return
    this.#count(tray)
    if (name === null) this.#do(() => this.#list(tray, true))
    else this.#suspect(`${tray}/${name}`)
    this.#ask()
  }

  #count(tray: string): void {
    this.#heard.add(tray)
    this.#unheard.delete(tray)
    const now = this.#now()
    if (now - this.#toldSince > FLOOD_WITHIN) [this.#toldSince, this.#told] = [now, 0]
    if (++this.#told > FLOOD) this.#isFlood = true
  }

  #suspect(path: string): void {
    if (path.slice(path.lastIndexOf('/') + 1).startsWith('.')) return
    if (this.#parts.takers.isOwn(path)) return
    if (isMail(path)) this.#mail.add(path)
    else this.#suspects.add(path)
  }

  /** Names that the keeper does not know, and those that it knows and that are not there. */
  #list(tray: string, isDoubted: boolean): void {
    const { disk, layout, takers, wall } = this.#parts
    const names = disk.list(`${layout.scope}/${tray}`)
    // Nobody listened before the first time.
    const isFirst = !this.#sizes.has(tray)
    this.#sizes.set(tray, names.length)
    if (names.length > LISTED && !isDoubted && !isFirst) return
    const there = new Set(names.filter((name) => !name.startsWith('.')))
    const front = `${tray}/`
    const since = wall() - NOTICED
    for (const path of takers.known()) {
      if (!path.startsWith(front)) continue
      if (!there.delete(path.slice(front.length))) this.#suspects.add(path)
      else if (isDoubted) this.#written.push({ path, since })
    }
    for (const name of there) {
      const path = `${front}${name}`
      if (isMail(path)) this.#mail.add(path)
      else this.#suspects.add(path)
    }
    if (this.#written.length > 0) this.#lookAtTimes()
    if (this.#suspects.size > 0) this.#ask()
  }

  /** Those that were written lately may have been edited. */
  #lookAtTimes(): void {
    const { disk, layout, clock } = this.#parts
    if (this.#reading !== null || this.#isClosed) return
    const some = this.#written.splice(0, clock === null ? Infinity : TIMES_AT_ONCE)
    this.#do(() => {
      for (const { path, since } of some) {
        const modified = disk.facts(`${layout.scope}/${path}`)?.modified ?? 0
        if (modified >= since) this.#suspects.add(path)
      }
    })
    this.#ask()
    if (this.#written.length === 0 || clock === null) return
    const goOn = (): void => {
      this.#reading = null
      this.#lookAtTimes()
    }
    this.#reading = clock.after(BETWEEN_TIMES, goOn, { ref: false })
  }

  /** All that is seen in one turn is done together. */
  #ask(): void {
    const { clock } = this.#parts
    if (this.#mail.size > 0 && !this.#isAsked) {
      this.#isAsked = true
      queueMicrotask(() => {
        this.#isAsked = false
        this.flush()
      })
    }
    if (this.#suspects.size === 0 || clock === null || this.#timer !== null) return
    const settle = (): void => {
      this.#timer = null
      this.#settle()
    }
    this.#timer = clock.after(SETTLED, settle, { ref: false })
  }

  #settle(): void {
    if (this.#suspects.size === 0 || this.#isClosed) return
    const suspects = this.#suspects
    this.#suspects = new Set()
    this.#do(() => {
      for (const path of this.#parts.takers.letters([...suspects].sort(byName))) {
        this.#suspects.add(path)
      }
    })
    if (this.#suspects.size > 0 && this.#parts.clock !== null) this.#ask()
  }

  /** What could not be taken yet stays for the next that happens, or the next round. */
  #takeMail(): void {
    const paths = [...this.#mail].sort(byName)
    this.#mail = new Set(this.#parts.takers.mail(paths))
  }

  /** Nobody waits for it: what goes wrong is told. */
  #do(deed: () => void): void {
    try {
      deed()
    } catch (error) {
      this.#parts.warn(`what others did in the folder was not taken: ${String(error)}`)
    }
  }
}

/** Names sort in the order of work. */
function byName(a: string, b: string): number {
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  return nameOf(a) < nameOf(b) ? -1 : 1
}
