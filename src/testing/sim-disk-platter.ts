/**
 * What a simulated machine has on its disk and what it only believes to have there. Two trees of
 * files and folders: `live` is what processes see, `base` is what certainly survives a power cut;
 * between them the changes that no sync has committed yet, in order. Any number of simulated
 * processes work on one platter, as on one kernel.
 *
 * It promises the semantics of POSIX on a local disk and nothing about time. Which of the changes
 * survive is decided in `sim-disk-crash.ts`; counting and failing of calls is `sim-disk.ts`.
 */
import type { Facts } from '../disk/disk.js'
import { ROOT, Tree } from './sim-disk-tree.js'
import type { Change, Edit, Inode, NamesChange, Node } from './sim-disk-tree.js'

export class Platter {
  readonly live: Tree
  readonly base: Tree
  /** In the order in which they were done. */
  readonly #pending: Set<Change>
  /** The same by what a sync of them is asked of. */
  readonly #dirty = new Map<Inode, Set<Change>>()
  /** Changes of names that no sync of anything has journaled, in order. */
  #unjournaled: NamesChange[] = []
  #nextInode: Inode
  #steps = 0

  /** `live` and `base` become the platter's own. */
  constructor(live = new Tree(), base = live.copy(), pending: readonly Change[] = []) {
    this.live = live
    this.base = base
    this.#pending = new Set(pending)
    for (const change of pending) this.#note(change)
    this.#nextInode = Math.max(ROOT, ...live.nodes.keys(), ...base.nodes.keys()) + 1
    this.#steps = pending.at(-1)?.step ?? 0
  }

  get pending(): readonly Change[] {
    return [...this.#pending]
  }

  make(path: string, kind: Node['kind'], now: number): Inode {
    const { folder, name, inode } = this.#locate(path)
    if (inode !== null) throw errnoError('EEXIST', path)
    const created = this.#nextInode++
    this.#rename(path, folder, [{ name, to: created }], kind)
    this.#node(created, path).modified = now
    return created
  }

  inodeOf(path: string): Inode {
    const { inode } = this.#locate(path)
    if (inode === null) throw errnoError('ENOENT', path)
    return inode
  }

  find(path: string): Facts | null {
    const { inode } = this.#locate(path, true)
    if (inode === null) return null
    const { kind, links, modified } = this.#node(inode, path)
    const mode = kind === 'file' ? 0o600 : 0o700
    return { kind, size: this.sizeOf(inode), mode, uid: SIM_UID, links, inode, modified }
  }

  names(path: string): readonly string[] {
    const node = this.#node(this.inodeOf(path), path)
    if (node.kind !== 'folder') throw errnoError('ENOTDIR', path)
    return [...node.entries.keys()]
  }

  /** It was changed then. */
  date(path: string, now: number): void {
    this.#node(this.inodeOf(path), path).modified = now
  }

  link(from: string, to: string): void {
    const inode = this.inodeOf(from)
    const target = this.#locate(to)
    if (target.inode !== null) throw errnoError('EEXIST', to)
    if (this.#node(inode, from).kind === 'folder') throw errnoError('EPERM', from)
    this.#rename(to, target.folder, [{ name: target.name, to: inode }], 'file')
  }

  rename(from: string, to: string): void {
    const source = this.#locate(from)
    const target = this.#locate(to)
    if (source.inode === null) throw errnoError('ENOENT', from)
    if (source.inode === target.inode) return
    const { kind } = this.#node(source.inode, from)
    if (target.inode !== null) {
      const replaced = this.#node(target.inode, to)
      if (replaced.kind === 'folder') throw errnoError('EISDIR', to)
      if (kind === 'folder') throw errnoError('ENOTDIR', to)
    }
    const add: Edit = { name: target.name, to: source.inode }
    const drop: Edit = { name: source.name, to: null }
    const path = `${from} → ${to}`
    if (source.folder === target.folder) {
      this.#rename(path, source.folder, [add, drop], kind)
      return
    }
    this.#rename(path, target.folder, [add], kind)
    this.#steps--
    this.#rename(path, source.folder, [drop], kind)
  }

  remove(path: string): void {
    const { folder, name, inode } = this.#locate(path)
    if (inode === null) throw errnoError('ENOENT', path)
    if (this.#node(inode, path).kind === 'folder') throw errnoError('EISDIR', path)
    this.#rename(path, folder, [{ name, to: null }], 'file')
  }

  write(path: string, inode: Inode, bytes: Uint8Array, now: number): void {
    if (bytes.length === 0) return
    const at = this.sizeOf(inode)
    const step = ++this.#steps
    const copy = Buffer.from(bytes)
    this.#do({ kind: 'data', step, path, inode, at, bytes: copy, isDropped: false })
    this.#node(inode, path).modified = now
  }

  read(inode: Inode, position: number, into: Uint8Array): number {
    const node = this.#node(inode, '')
    return node.kind === 'file' ? node.content.read(position, into) : 0
  }

  sizeOf(inode: Inode): number {
    const node = this.#node(inode, '')
    return node.kind === 'file' ? node.content.length : 0
  }

  linksOf(inode: Inode): number {
    return this.#node(inode, '').links
  }

  /** What a sync that begins now will commit: of a file its data, of a folder its names. */
  dirty(inode: Inode): readonly Change[] {
    return [...(this.#dirty.get(inode) ?? [])].filter(({ isDropped }) => !isDropped)
  }

  /** A sync ends that began with these changes dirty and with `steps` steps done. */
  commit(dirty: readonly Change[], steps: number): void {
    const later = this.#unjournaled.findIndex(({ step }) => step > steps)
    const journaled = later < 0 ? this.#unjournaled : this.#unjournaled.slice(0, later)
    this.#unjournaled = later < 0 ? [] : this.#unjournaled.slice(later)
    for (const change of journaled) if (!change.isDropped) change.isJournaled = true
    for (const change of dirty) {
      // A sync of the same that failed or ended meanwhile has taken it from this one.
      if (change.isDropped || !this.#pending.delete(change)) continue
      this.base.apply(change)
      this.#dirty.get(dirtyOf(change))?.delete(change)
    }
  }

  get steps(): number {
    return this.#steps
  }

  /** A sync failed: what it should have written counts as clean from now on. */
  drop(dirty: readonly Change[]): void {
    for (const change of dirty) change.isDropped = true
  }

  #rename(path: string, folder: Inode, edits: readonly Edit[], newKind: Node['kind']): void {
    const step = ++this.#steps
    this.#do({
      kind: 'names',
      step,
      path,
      folder,
      edits,
      newKind,
      isJournaled: false,
      isDropped: false,
    })
  }

  #do(change: Change): void {
    this.live.apply(change)
    this.#pending.add(change)
    this.#note(change)
  }

  #note(change: Change): void {
    const inode = dirtyOf(change)
    const known = this.#dirty.get(inode)
    if (known === undefined) this.#dirty.set(inode, new Set([change]))
    else known.add(change)
    if (change.kind === 'names' && !change.isJournaled) this.#unjournaled.push(change)
  }

  #node(inode: Inode, path: string): Node {
    const node = this.live.nodes.get(inode)
    if (node === undefined) throw errnoError('ENOENT', path)
    return node
  }

  /** The folder that has or would have the name, and what has it. */
  #locate(path: string, isLenient = false): { folder: Inode; name: string; inode: Inode | null } {
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    if (names.includes('..')) throw errnoError('EINVAL', path)
    const name = names.pop()
    if (name === undefined) return { folder: ROOT, name: '', inode: ROOT }
    let folder = ROOT
    for (const step of names) {
      const next = this.#entries(folder, path)?.get(step)
      if (next === undefined && isLenient) return { folder, name, inode: null }
      if (next === undefined) throw errnoError('ENOENT', path)
      folder = next
    }
    const entries = this.#entries(folder, path)
    if (entries === null) throw errnoError('ENOTDIR', path)
    return { folder, name, inode: entries.get(name) ?? null }
  }

  #entries(inode: Inode, path: string): ReadonlyMap<string, Inode> | null {
    const node = this.#node(inode, path)
    return node.kind === 'folder' ? node.entries : null
  }
}

/** What has to be synced for it to be committed. */
function dirtyOf(change: Change): Inode {
  return change.kind === 'data' ? change.inode : change.folder
}

export const SIM_UID = 1000

/** An error as the system throws it. */
export function errnoError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path} (simulated)`), { code, path })
}
