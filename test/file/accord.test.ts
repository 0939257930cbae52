// Processes that make different things of the same log notice it: what rotted after one of them had
// read it is read anew, and where that does not help, nothing is answered any more.
import { describe, expect, it } from 'vitest'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import type { Disk } from '../../src/disk/disk.js'
import { MillraceError } from '../../src/job/errors.js'
import type { Store } from '../../src/store.js'
import { hostAt, openProcess, quiet, ROOT, SCOPE } from './machine.js'
import type { Process } from './machine.js'
import { ids } from './rivals.js'
import { withFiles } from './with-files.js'

const LOG = `${ROOT}/${SCOPE}/log/00000001.log`

async function machine(rot: Rot = { at: -1 }) {
  const disk = new SimDisk()
  const host = hostAt({ ms: 1_000_000 }, 1)
  let opened = 0
  const open = (on: Disk, stateEvery = 1): Promise<Process> =>
    openProcess({ disk: on, host, nonce: `a${++opened}`, stateEvery })
  const first = await open(rotten(disk.fork(), rot))
  await first.store.insert([{ jobs: [newJob('a')] }])
  await first.store.insert([{ jobs: [newJob('b1'), newJob('b2'), newJob('b3')] }])
  await first.store.insert([{ jobs: [newJob('c')] }])
  return { disk, open, first }
}

function logOf(disk: SimDisk): Buffer {
  const file = disk.fork().read(LOG)
  const bytes = Buffer.alloc(file.size())
  file.readAt(0, bytes)
  return bytes
}

/** The byte of the log that is not what was written; -1: none. */
interface Rot {
  at: number
}

function rotten(disk: Disk, rot: Rot): Disk {
  return withFiles(disk, (file) => ({
    readAt: (position, into) => {
      const read = file.readAt(position, into)
      const { at } = rot
      if (file.path === LOG && at >= position && at < position + read) into[at - position] ^= 1
      return read
    },
  }))
}

/** The answer, or the error with which the call is told that the store is being loaded anew. */
async function told<T>(call: () => Promise<T>): Promise<T | MillraceError> {
  try {
    return await call()
  } catch (error) {
    if (!MillraceError.is(error)) throw error
    return error
  } finally {
    await quiet()
  }
}

const put = (store: Store, id: string) => told(() => store.insert([{ jobs: [newJob(id)] }]))
const codes = (answer: unknown): unknown => (MillraceError.is(answer) ? answer.code : 'answered')

describe('processes that read one log', () => {
  it('agree, and say so now and then', async () => {
    const { disk, open, first } = await machine()
    const second = await open(disk.fork(), 10)
    for (const n of upTo(40)) await put(n % 2 === 0 ? first.store : second.store, `job-${n}`)
    const log = logOf(disk).toString('latin1')
    expect(log.match(/ state \{"at":/g)).toHaveLength(3 + 20 + 2)
    expect([...first.warnings, ...second.warnings]).toEqual([])
    expect(await ids(second.store)).toEqual(await ids(first.store))
    expect(second.book()).toEqual(first.book())
  })

  it('notice that what one of them read has rotted since, and read it anew', async () => {
    const rot = { at: -1 }
    const { disk, open, first } = await machine(rot)
    rot.at = logOf(disk).indexOf('"b2"')
    const second = await open(rotten(disk.fork(), rot))
    expect(await ids(second.store)).toEqual(['a', 'b1', 'b3', 'c'])
    const answer = await told(() => ids(first.store))
    expect(codes(answer)).toBe('STORE_UNREACHABLE')
    expect(String(answer)).toMatch(/00000001\.log at \d+.*loads itself anew/)
    expect(first.warnings.join()).toMatch(/another state from the same log; it is loaded anew/)
    // From then on all read the same, and nobody is told anything more.
    for (const n of upTo(5)) {
      expect(codes(await put(first.store, `first-${n}`))).toBe('answered')
      expect(codes(await put(second.store, `second-${n}`))).toBe('answered')
    }
    expect(await ids(first.store)).toEqual(await ids(second.store))
    expect(first.book()).toEqual(second.book())
  })
})

describe('a process that reads another state than the others', () => {
  it('is heard by them, loads itself anew, and in the end answers nothing any more', async () => {
    const { disk, open, first } = await machine()
    const odd = await open(rotten(disk.fork(), { at: logOf(disk).indexOf('"b2"') }))
    const answers = { first: [] as unknown[], odd: [] as unknown[] }
    for (const n of upTo(6)) {
      answers.odd.push(codes(await put(odd.store, `odd-${n}`)))
      answers.first.push(codes(await put(first.store, `first-${n}`)))
    }
    const stopped = [first, odd].filter(({ warnings }) => /please report it/.test(warnings.join()))
    expect(stopped.length).toBeGreaterThan(0)
    for (const { store } of stopped) {
      const answer = await told(() => ids(store))
      expect(codes(answer)).toBe('STORE_UNREACHABLE')
      expect(String(answer)).toMatch(/millrace doctor/)
    }
    // Each was told; a sound newcomer stops the odd one, too.
    expect(answers.first).toContain('STORE_UNREACHABLE')
    expect(answers.odd).toContain('STORE_UNREACHABLE')
    const fresh = await open(disk.fork())
    for (const n of upTo(4)) {
      await put(odd.store, `more-${n}`)
      await put(fresh.store, `fresh-${n}`)
    }
    expect(codes(await put(odd.store, 'last'))).toBe('STORE_UNREACHABLE')
  })

  it('is heard also by who begins later', async () => {
    const { disk, open, first } = await machine()
    const odd = await open(rotten(disk.fork(), { at: logOf(disk).indexOf('"b2"') }))
    await first.store.close()
    await put(odd.store, 'd')
    const later = await open(disk.fork(), 1_000_000)
    expect(await ids(later.store)).toContain('b2')
    expect(codes(await told(() => ids(odd.store)))).toBe('STORE_UNREACHABLE')
  })
})
