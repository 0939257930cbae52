/**
 * Files and folders of a simulated disk, and the changes that turn one state of it into the next.
 * A change names files by inode, never by path, as a file system's journal does; so it can be
 * applied to a tree in which other changes are missing, and what then has no name is lost.
 */

export type Inode = number

/** Bytes that grow. Copies share them until one of them is written to. */
export class Content {
  #bytes = Buffer.alloc(0)
  #length = 0
  #isShared = false

  get length(): number {
    return this.#length
  }

  /** What lies between the old end and `at` reads as zeros. */
  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length
    if (this.#isShared || end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#length * 2))
      larger.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = larger
      this.#isShared = false
    }
    this.#bytes.set(bytes, at)
    this.#length = Math.max(this.#length, end)
  }

  read(at: number, into: Uint8Array): number {
    const found = this.#bytes.subarray(Math.min(at, this.#length), this.#length)
    const part = found.subarray(0, into.length)
    into.set(part)
    return part.length
  }

  copy(): Content {
    const twin = new Content()
    twin.#bytes = this.#bytes
    twin.#length = this.#length
    twin.#isShared = this.#isShared = true
    return twin
  }
}

export interface FileNode {
  readonly kind: 'file'
  readonly content: Content
  links: number
  modified: number
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly entries: Map<string, Inode>
  links: number
  modified: number
}

export type Node = FileNode | FolderNode

export const ROOT: Inode = 1

export interface Edit {
  readonly name: string
  /** Null takes the name away. */
  readonly to: Inode | null
}

/** One thing that a process did and that a power cut may undo. */
export type Change = DataChange | NamesChange

export interface DataChange {
  readonly kind: 'data'
  readonly step: number
  readonly path: string
  readonly inode: Inode
  readonly at: number
  readonly bytes: Uint8Array
  /** A sync failed on it: the kernel holds it for clean, and no later sync writes it. */
  isDropped: boolean
}

/** Changes of one folder that survive together. A move between folders is two, of one step. */
export interface NamesChange {
  readonly kind: 'names'
  readonly step: number
  readonly path: string
  readonly folder: Inode
  readonly edits: readonly Edit[]
  readonly newKind: Node['kind']
  /** A later sync of anything has committed it, on file systems with one journal. */
  isJournaled: boolean
  /** A sync failed on it; no later sync of the folder commits it. */
  isDropped: boolean
}

export class Tree {
  readonly nodes: Map<Inode, Node>

  constructor(nodes?: Map<Inode, Node>) {
    this.nodes = nodes ?? new Map([[ROOT, newNode('folder')]])
  }

  apply(change: Change, bytes: Uint8Array = change.kind === 'data' ? change.bytes : NONE): void {
    if (change.kind === 'data') {
      const node = this.#ensure(change.inode, 'file')
      if (node.kind === 'file') node.content.write(change.at, bytes)
      return
    }
    const folder = this.#ensure(change.folder, 'folder')
    if (folder.kind !== 'folder') return
    for (const { name, to } of change.edits) {
      this.#count(folder.entries.get(name), -1)
      if (to === null) folder.entries.delete(name)
      else folder.entries.set(name, to)
      if (to !== null) this.#ensure(to, change.newKind)
      this.#count(to ?? undefined, 1)
    }
  }

  copy(): Tree {
    const nodes = new Map<Inode, Node>()
    for (const [inode, node] of this.nodes) {
      const { links, modified } = node
      if (node.kind === 'file') {
        nodes.set(inode, { kind: 'file', content: node.content.copy(), links, modified })
      } else {
        nodes.set(inode, { kind: 'folder', entries: new Map(node.entries), links, modified })
      }
    }
    return new Tree(nodes)
  }

  /** When each was changed last. */
  dates(): ReadonlyMap<Inode, number> {
    return new Map([...this.nodes].map(([inode, { modified }]) => [inode, modified]))
  }

  date(dates: ReadonlyMap<Inode, number>): this {
    for (const [inode, node] of this.nodes) node.modified = dates.get(inode) ?? node.modified
    return this
  }

  /** After a restart there is only what has a name. */
  prune(): Tree {
    const reached = new Map<Inode, Node>()
    const visit = (inode: Inode): void => {
      const node = this.nodes.get(inode)
      if (node === undefined) return
      const isNew = !reached.has(inode)
      if (isNew) node.links = 0
      node.links++
      reached.set(inode, node)
      if (isNew && node.kind === 'folder') for (const next of node.entries.values()) visit(next)
    }
    visit(ROOT)
    return new Tree(reached)
  }

  #ensure(inode: Inode, kind: Node['kind']): Node {
    const known = this.nodes.get(inode)
    if (known !== undefined) return known
    const node = newNode(kind)
    this.nodes.set(inode, node)
    return node
  }

  #count(inode: Inode | undefined, difference: number): void {
    const node = inode === undefined ? undefined : this.nodes.get(inode)
    if (node !== undefined) node.links += difference
  }
}

const NONE = new Uint8Array(0)

function newNode(kind: Node['kind']): Node {
  const common = { links: 0, modified: 0 }
  if (kind === 'file') return { kind, content: new Content(), ...common }
  return { kind, entries: new Map(), ...common }
}
