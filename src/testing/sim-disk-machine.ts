/**
 * The simulated machine that processes share: its platter, the syncs that are under way on it, and
 * who watches which folder. A test decides when a sync ends and whether a watcher is ever told.
 */
import type { Platter } from './sim-disk-platter.js'
import type { Change, Inode } from './sim-disk-tree.js'

interface HeldSync {
  readonly owner: object
  readonly path: string
  commit(): void
  fail(error: Error): void
}

export class Machine {
  readonly platter: Platter
  readonly now: () => number
  readonly #held: HeldSync[] = []
  readonly #watchers = new Set<{ readonly folder: string; readonly onChange: () => void }>()
  readonly #changed = new Set<string>()
  #holdsSyncs = false

  constructor(platter: Platter, now: () => number) {
    this.platter = platter
    this.now = now
  }

  /** Commits what is dirty now: at once, or when the test releases it. */
  sync(owner: object, path: string, inode: Inode): Promise<void> | undefined {
    const dirty = this.platter.dirty(inode)
    const { steps } = this.platter
    if (!this.#holdsSyncs) {
      this.platter.commit(dirty, steps)
      return undefined
    }
    return new Promise((resolve, reject) => {
      const commit = () => resolve(this.platter.commit(dirty, steps))
      const fail = (error: Error) => {
        this.#drop(error, dirty)
        reject(error)
      }
      this.#held.push({ owner, path, commit, fail })
    })
  }

  syncNow(inode: Inode): void {
    this.platter.commit(this.platter.dirty(inode), this.platter.steps)
  }

  holdSyncs(): void {
    this.#holdsSyncs = true
  }

  held(): readonly string[] {
    return this.#held.map(({ path }) => path)
  }

  /** Ends one that is under way, well or with an error. */
  release(index: number, error: Error | null): void {
    const [held] = this.#held.splice(index, 1)
    if (held === undefined) return
    if (error === null) held.commit()
    else held.fail(error)
  }

  releaseAll(): void {
    this.#holdsSyncs = false
    while (this.#held.length > 0) this.release(0, null)
  }

  /** A process is gone; what it waited for never comes. */
  abandon(owner: object, error: Error): void {
    const lost = this.#held.filter((held) => held.owner === owner)
    for (const held of lost) {
      this.#held.splice(this.#held.indexOf(held), 1)
      held.fail(error)
    }
  }

  watch(path: string, onChange: () => void): () => void {
    const watcher = { folder: normal(path), onChange }
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Something was done to a name, or to the file that has it. */
  touch(path: string): void {
    const folder = path.slice(0, path.lastIndexOf('/'))
    this.#changed.add(normal(folder))
    if (folder !== '') this.platter.date(folder, this.now())
  }

  changed(): readonly string[] {
    return [...this.#changed]
  }

  hint(folders: readonly string[]): void {
    const told = new Set(folders.map(normal))
    for (const folder of told) this.#changed.delete(folder)
    for (const { folder, onChange } of [...this.#watchers]) if (told.has(folder)) onChange()
  }

  /** After a failed sync the kernel takes the pages for clean; after a cut there is no kernel. */
  #drop(error: Error, dirty: readonly Change[]): void {
    if ('code' in error) this.platter.drop(dirty)
  }
}

function normal(path: string): string {
  return `/${path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/')}`
}
