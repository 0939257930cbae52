/**
 * An open file of a simulated disk. It belongs to one process and keeps its file alive, whatever
 * becomes of the file's names, as a descriptor does.
 */
import type { DiskFile } from '../disk/disk.js'
import type { SimCall, SimCalls } from './sim-disk-calls.js'
import type { Machine } from './sim-disk-machine.js'
import { errnoError } from './sim-disk-platter.js'

export interface FileHome {
  /** The process: its held syncs are given up when it dies. */
  readonly owner: object
  readonly machine: Machine
  readonly calls: SimCalls
}

export interface Opened {
  readonly path: string
  readonly inode: number
  readonly isWritable: boolean
}

export class SimFile implements DiskFile {
  readonly path: string
  readonly #home: FileHome
  readonly #opened: Opened
  #isClosed = false

  constructor(home: FileHome, opened: Opened) {
    this.path = opened.path
    this.#home = home
    this.#opened = opened
  }

  write(bytes: Uint8Array): number {
    const { machine, calls } = this.#home
    const { inode, isWritable } = this.#opened
    return this.#perform('write', `${bytes.length} bytes`, (n) => {
      if (!isWritable) throw errnoError('EBADF', this.path)
      const taken = bytes.subarray(0, Math.min(bytes.length, calls.roomAt(n)))
      machine.platter.write(this.path, inode, taken, machine.now())
      machine.touch(this.path)
      return taken.length
    })
  }

  readAt(position: number, into: Uint8Array): number {
    const { platter } = this.#home.machine
    return this.#perform('readAt', `${into.length} bytes at ${position}`, () =>
      platter.read(this.#opened.inode, position, into),
    )
  }

  size(): number {
    const { platter } = this.#home.machine
    return this.#perform('size', '', () => platter.sizeOf(this.#opened.inode))
  }

  links(): number {
    const { platter } = this.#home.machine
    return this.#perform('links', '', () => platter.linksOf(this.#opened.inode))
  }

  async sync(): Promise<void> {
    const { owner, machine } = this.#home
    await this.#perform('sync', '', () => machine.sync(owner, this.path, this.#opened.inode))
  }

  syncNow(): void {
    this.#perform('syncNow', '', () => this.#home.machine.syncNow(this.#opened.inode))
  }

  close(): void {
    this.#isClosed = true
  }

  #perform<T>(call: SimCall, detail: string, run: (n: number) => T): T {
    if (this.#isClosed) throw errnoError('EBADF', this.path)
    const { path } = this
    const isSync = call === 'sync' || call === 'syncNow'
    const onFault = isSync ? () => this.#loseDirty() : undefined
    return this.#home.calls.perform({ call, path, detail, run, ...(onFault && { onFault }) })
  }

  /** After a failed sync the kernel takes the pages for clean. */
  #loseDirty(): void {
    const { platter } = this.#home.machine
    platter.drop(platter.dirty(this.#opened.inode))
  }
}
