// A commit is seen before it is synced, and answered only then; what a failed sync leaves in doubt is
// brought into the database before anything else is answered.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { LogSync } from '../../src/stores/sqlite/log-sync.js'

/** Syncs that end when they are let, each as it is said. */
class Disk {
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    []
  begun = 0

  readonly sync = (): Promise<void> => {
    this.begun++
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  done(): void {
    this.#waiting.shift()?.resolve()
  }

  fail(): void {
    this.#waiting.shift()?.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }))
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const never = () => Promise.reject(new Error('no checkpoint is needed'))

describe('the log of SQLite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-sync-'))
  const path = join(folder, 'jobs.db-wal')
  writeFileSync(path, '')
  let log: LogSync
  afterEach(() => log.close())
  afterAll(() => rmSync(folder, { recursive: true }))

  function opened(): Disk {
    const disk = new Disk()
    log = new LogSync(path, disk.sync)
    return disk
  }

  it('is synced for one, and then once for all who came meanwhile', async () => {
    const disk = opened()
    const answered: number[] = []
    const commit = (n: number): Promise<unknown> => {
      log.wrote()
      return log.through(never).then(() => answered.push(n))
    }
    const all = [commit(1), commit(2)]
    await turn()
    all.push(commit(3))
    expect(disk.begun).toBe(1)
    disk.done()
    await turn()
    expect(answered).toEqual([1])
    expect(disk.begun).toBe(2)
    disk.done()
    await Promise.all(all)
    expect(answered).toEqual([1, 2, 3])
    expect(disk.begun).toBe(2)
    await log.through(never)
    expect(disk.begun).toBe(2)
  })

  it('that could not be synced is a checkpoint’s, and nothing is answered without it', async () => {
    const disk = opened()
    let succeeds: boolean | 'fails' = 'fails'
    let checkpoints = 0
    const checkpoint = async (): Promise<boolean> => {
      checkpoints++
      if (succeeds === 'fails') throw new Error('disk I/O error')
      return succeeds
    }
    log.wrote()
    const first = log.through(checkpoint)
    disk.fail()
    await expect(first).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    succeeds = false
    log.wrote()
    await expect(log.through(checkpoint)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect({ syncs: disk.begun, checkpoints }).toEqual({ syncs: 1, checkpoints: 2 })
    succeeds = true
    await log.through(checkpoint)
    log.wrote()
    const next = log.through(checkpoint)
    disk.done()
    await next
    expect({ syncs: disk.begun, checkpoints }).toEqual({ syncs: 2, checkpoints: 3 })
  })

  it('that is not there yet has nothing to lose', async () => {
    log = new LogSync(join(folder, 'other.db-wal'))
    log.wrote()
    await log.through(never)
  })
})
