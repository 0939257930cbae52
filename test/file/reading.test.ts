// Jobs are read from the log when they are claimed: those that stand behind one another together,
// also when they are claimed one by one; and always what was written there.
import { describe, expect, it } from 'vitest'
import type { Disk, DiskFile } from '../../src/disk/disk.js'
import type { JobWords } from '../../src/testing/conformance/build.js'
import { json, newJob } from '../../src/testing/conformance/build.js'
import { PlayedNode, cardOf } from '../../src/testing/conformance/played-node.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { hostAt, openProcess } from './machine.js'

const HOST = hostAt({ ms: 1_000_000 }, 1)
const JOBS = 500

interface Reader {
  readonly node: PlayedNode
  /** How often it read what jobs are described by, and how much. */
  readonly counts: { reads: number; bytes: number }
}

/** Jobs that one process wrote, and another that is to read them. */
async function reader(words: (n: number) => JobWords): Promise<Reader> {
  const disk = new SimDisk()
  const writer = await openProcess({ disk: disk.fork(), host: HOST, nonce: 'a' })
  const jobs = Array.from({ length: JOBS }, (_, n) => newJob(`j${n}`, words(n)))
  await writer.store.insert([{ jobs }])
  const counts = { reads: 0, bytes: 0 }
  const inner = disk.fork()
  const counting = (file: DiskFile): DiskFile =>
    new Proxy(file, {
      get: (target, name): unknown => {
        if (name === 'readAt') {
          return (position: number, into: Uint8Array): number => {
            const got = target.readAt(position, into)
            counts.reads++
            counts.bytes += got
            return got
          }
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  const watched: Disk = new Proxy(inner, {
    get: (target, name): unknown => {
      if (name === 'read') return (path: string) => counting(target.read(path))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const process = await openProcess({ disk: watched, host: HOST, nonce: 'b' })
  const node = await PlayedNode.enlist(process.store, cardOf('node'))
  return { node, counts }
}

/** Claims them one by one; which came, in order, each with the payload that it was given. */
async function claimAll({ node }: Reader): Promise<number[]> {
  const order: number[] = []
  for (;;) {
    const { jobs } = await node.claim({ limit: 1 })
    if (jobs.length === 0) return order
    const n = Number(jobs[0].id.slice(1))
    expect(jobs[0].payload).toEqual(payloadOf(n))
    order.push(n)
  }
}

const payloadOf = (n: number) => json({ n, text: 'é'.repeat(n % 50) })
const upwards = Array.from({ length: JOBS }, (_, n) => n)

describe('jobs that are claimed one by one', () => {
  it('are read some hundred at once, when they stand behind one another', async () => {
    const made = await reader((n) => ({ payload: payloadOf(n) }))
    expect(await claimAll(made)).toEqual(upwards)
    expect(made.counts.reads).toBeLessThan(10)
  })

  it('are read alone, and no more than they are, when the last one lies elsewhere', async () => {
    // Every other one from the far end: no reading goes on where another ended.
    const priority = (n: number) => (n % 2 === 0 ? 0 : 1)
    const made = await reader((n) => ({
      payload: payloadOf(n),
      priority: priority(n),
      at: 1_000_000 - n,
    }))
    const order = await claimAll(made)
    expect(order.toSorted((a, b) => a - b)).toEqual(upwards)
    expect(order[0]).toBe(JOBS - 1)
    expect(made.counts.bytes / JOBS).toBeLessThan(400)
  })
})
