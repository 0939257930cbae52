/**
 * The calls that one simulated process makes on its disk: numbered, written down, and made to fail
 * where a test wants it. What a call does is handed in; what it leaves behind is the platter's.
 */
import type { Disk, DiskFile } from '../disk/disk.js'
import { errnoError } from './sim-disk-platter.js'

/** The calls that are counted. Closing, watching and asking for the medium are not. */
export type SimCall =
  Exclude<keyof Disk, 'medium' | 'watch'> | Exclude<keyof DiskFile, 'path' | 'close'>

export interface SimCallRecord {
  /** Counts from 1, over all calls of this process. */
  readonly n: number
  readonly call: SimCall
  readonly path: string
  /** How many bytes and where, or the second name. */
  readonly detail: string
  readonly outcome: 'done' | 'failed' | 'cut'
}

/** The machine or the process is gone: nobody is there to see this, no code may handle it. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut'
}

/** The calls after which something may be different on the platter. */
const CHANGING: ReadonlySet<SimCall> = new Set<SimCall>([
  ...(['makeFolder', 'create', 'link', 'rename', 'remove', 'syncFolder'] as const),
  ...(['write', 'sync', 'syncNow'] as const),
])

export interface SimEffect<T> {
  readonly call: SimCall
  readonly path: string
  readonly detail?: string
  readonly run: (n: number) => T
  /** What an injected failure does besides being thrown. */
  readonly onFault?: () => void
}

export class SimCalls {
  readonly #records: SimCallRecord[] = []
  readonly #failAt = new Map<number, string>()
  readonly #failNext = new Map<SimCall, string[]>()
  readonly #shortAt = new Map<number, number>()
  readonly #onCut: () => void
  #cutAt = Infinity

  constructor(onCut: () => void) {
    this.#onCut = onCut
  }

  perform<T>({ call, path, detail = '', run, onFault }: SimEffect<T>): T {
    const n = this.#records.length + 1
    const record = { n, call, path, detail }
    if (n >= this.#cutAt) {
      this.#records.push({ ...record, outcome: 'cut' })
      this.#onCut()
      throw new PowerCut(`${call} ${path}: cut off before call ${n}`)
    }
    this.#records.push({ ...record, outcome: 'done' })
    try {
      const errno = this.#failAt.get(n) ?? this.#failNext.get(call)?.shift()
      if (errno === undefined) return run(n)
      onFault?.()
      throw errnoError(errno, path)
    } catch (error) {
      this.#records[n - 1] = { ...record, outcome: 'failed' }
      throw error
    }
  }

  failAt(n: number, errno: string): void {
    this.#failAt.set(n, errno)
  }

  failNext(call: SimCall, errno: string): void {
    this.#failNext.set(call, [...(this.#failNext.get(call) ?? []), errno])
  }

  shortAt(n: number, bytes: number): void {
    this.#shortAt.set(n, bytes)
  }

  /** How many bytes the n-th call may write, if it is a write. */
  roomAt(n: number): number {
    return this.#shortAt.get(n) ?? Infinity
  }

  cutAt(n: number): void {
    this.#cutAt = n
  }

  cut(): void {
    this.#cutAt = Math.min(this.#cutAt, this.#records.length + 1)
    this.#onCut()
  }

  get records(): readonly SimCallRecord[] {
    return this.#records
  }

  crashPoints(): readonly number[] {
    return this.#records.filter(({ call }) => CHANGING.has(call)).map(({ n }) => n)
  }

  counts(): Readonly<Partial<Record<SimCall, number>>> {
    const counts: Partial<Record<SimCall, number>> = {}
    for (const { call } of this.#records) counts[call] = (counts[call] ?? 0) + 1
    return counts
  }
}
