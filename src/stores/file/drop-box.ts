/**
 * The drop box: a JSON file that somebody moves into `in/<queue>/` becomes a job whose payload is
 * what the file says. For shells, cron and other languages; `mv` is the whole protocol.
 *
 *     in/mails/hello.json ──rename, sync──▶ tmp/<id>.mails.drop ──insert, sync──▶ removed
 *
 * The rename is the arbiter: of any number of processes one gets the file, and gives the job the id
 * in its new name. Whoever finds a `.drop` that was left behind inserts it again under that id,
 * which is harmless. What is no JSON may still be on its way: it waits, then goes to quarantine.
 */
import type { Disk } from '../../disk/disk.js'
import { decodeName } from '../../disk/names.js'
import { quarantine } from '../../disk/quarantine.js'
import type { Inserted, NewJob } from '../../job/lot.js'
import type { Layout } from './layout.js'

export interface DropBoxOptions {
  readonly disk: Disk
  readonly layout: Layout
  readonly newId: () => string
  /** Milliseconds since the Unix epoch, to tell what is still being written. */
  readonly wall: () => number
  readonly warn: (message: string) => void
  /** One job, durable when it answers. */
  readonly insert: (job: NewJob) => Promise<Inserted>
  /** Something was moved in: look soon. */
  readonly onDrop: () => void
}

/** How long a file that is no JSON may still be on its way. */
const ON_ITS_WAY = 5_000
/** Files taken in one round; the rest is taken in the next. */
const AT_ONCE = 500
/** A larger file is no payload. */
const LARGEST = 32 * 1024 * 1024

const DROP = /^([0-9A-HJKMNP-TV-Z]{26})\.(.+)\.drop$/

export class DropBox {
  readonly #options: DropBoxOptions
  readonly #watched = new Map<string, () => void>()
  #busy = false

  constructor(options: DropBoxOptions) {
    this.#options = options
  }

  /** One bounded round. */
  async collect(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      this.#moveIn()
      await this.#insertTaken()
    } finally {
      this.#busy = false
    }
  }

  close(): void {
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
  }

  #watch(folder: string): void {
    const { disk, onDrop } = this.#options
    if (!this.#watched.has(folder)) this.#watched.set(folder, disk.watch(folder, onDrop))
  }

  /** Gives what lies in the boxes its name. */
  #moveIn(): void {
    const { disk, layout } = this.#options
    this.#watch(layout.in)
    let room = AT_ONCE
    for (const segment of disk.list(layout.in)) {
      const folder = `${layout.in}/${segment}`
      if (segment.startsWith('.') || disk.facts(folder)?.kind !== 'folder') continue
      if (decodeName(segment) === null) continue
      this.#watch(folder)
      for (const name of disk.list(folder)) {
        if (name.startsWith('.')) continue
        if (room-- === 0) return
        this.#take(segment, `${folder}/${name}`)
      }
    }
  }

  #take(segment: string, path: string): void {
    const { disk, layout, newId } = this.#options
    const facts = disk.facts(path)
    if (facts === null) return
    if (facts.kind !== 'file') return this.#reject(path, `it is no file but a ${facts.kind}`)
    const read = this.#read(path)
    if (!read.ok) {
      // A clock that was set back must not make a file wait for ever.
      const age = Math.abs(this.#options.wall() - facts.modified)
      return age < ON_ITS_WAY ? undefined : this.#reject(path, read.why)
    }
    if (facts.links > 1 && this.#isTaken(facts.inode)) return this.#remove(path)
    this.#rename(path, `${layout.tmp}/${newId()}.${segment}.drop`)
  }

  /** A power cut undid half of a move: the file has its old name still, and its new one already. */
  #isTaken(inode: number): boolean {
    const { disk, layout } = this.#options
    return disk
      .list(layout.tmp)
      .some((name) => DROP.test(name) && disk.facts(`${layout.tmp}/${name}`)?.inode === inode)
  }

  /**
   * What was moved in now, or was left behind by a crash. The moves are made durable first: one that
   * a power cut undid would bring the file back, to be taken again under another id.
   */
  async #insertTaken(): Promise<void> {
    const { disk, layout } = this.#options
    const taken = disk.list(layout.tmp).flatMap((name) => {
      const match = DROP.exec(name)
      return match === null ? [] : [{ name, segment: match[2] }]
    })
    if (taken.length === 0) return
    await disk.syncFolder(layout.tmp)
    for (const segment of new Set(taken.map((one) => one.segment))) {
      const folder = `${layout.in}/${segment}`
      if (disk.facts(folder)?.kind === 'folder') await disk.syncFolder(folder)
    }
    for (const { name, segment } of taken) await this.#insert(segment, `${layout.tmp}/${name}`)
    // While its receipt is kept; a file that a power cut brings back later would run again.
    await disk.syncFolder(layout.tmp)
  }

  async #insert(segment: string, path: string): Promise<void> {
    const { disk, layout, insert } = this.#options
    const id = path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('/') + 27)
    const queue = decodeName(segment)
    if (queue === null || disk.facts(path) === null) return
    const read = this.#read(path)
    if (!read.ok) return this.#reject(path, read.why)
    const answer = await insert(dropped(queue, id, read.text))
    if (answer.status !== 'refused') return this.#remove(path)
    if (answer.code === 'QUEUE_FULL') {
      // Back where it was, under a name that is free: it is tried again in the next round.
      this.#rename(path, `${layout.in}/${segment}/${id}.json`)
      return
    }
    this.#reject(path, `the queue refused it: ${answer.code}`)
  }

  /** Its text in one line, or why it is none. */
  #read(path: string): { ok: true; text: string } | { ok: false; why: string } {
    const { disk } = this.#options
    try {
      const file = disk.read(path)
      try {
        const size = file.size()
        if (size > LARGEST) return { ok: false, why: `it has ${size} bytes` }
        const bytes = Buffer.alloc(size)
        const text = bytes.toString('utf8', 0, file.readAt(0, bytes))
        return { ok: true, text: JSON.stringify(JSON.parse(text)) }
      } finally {
        file.close()
      }
    } catch (error) {
      return { ok: false, why: error instanceof Error ? error.message : String(error) }
    }
  }

  #rename(from: string, to: string): boolean {
    try {
      this.#options.disk.rename(from, to)
      return true
    } catch (error) {
      if (isGone(error)) return false // someone else was first
      throw error
    }
  }

  #remove(path: string): void {
    try {
      this.#options.disk.remove(path)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }

  #reject(path: string, why: string): void {
    const { disk, layout, newId, warn } = this.#options
    try {
      quarantine(disk, layout, path, why, newId())
      warn(`${path} was put into quarantine: ${why}`)
    } catch (error) {
      if (!isGone(error))
        warn(`${path} is no job (${why}) and could not be moved: ${String(error)}`)
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function dropped(queue: string, id: string, text: string): NewJob {
  return {
    queue,
    id,
    ownId: true,
    task: 'default',
    payload: { text, codec: 'json' },
    priority: 0,
    group: '',
    delay: 0,
    at: null,
    unique: null,
    attempts: null,
    timeout: null,
    expiresIn: null,
    after: [],
    onParentFailed: 'wait',
    tags: [],
    meta: null,
    origin: null,
  }
}
