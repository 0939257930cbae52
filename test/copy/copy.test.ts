// A copy while no worker runs: what it refuses, and that it may be broken off anywhere and said again.
import { describe, expect, it } from 'vitest'
import { copy } from '../../src/copy/copy.js'
import type { CopyReport } from '../../src/copy/copy.js'
import { storeSource } from '../../src/copy/ends.js'
import type { End } from '../../src/copy/ends.js'
import type { PortableJob } from '../../src/job/portable.js'
import { unique } from '../../src/testing/conformance/build.js'
import { comparable, dumpAll } from '../../src/testing/conformance/carrying.js'
import { nodeOn, put, sides } from './ends.js'

function run(from: End, to: End, again = false): Promise<CopyReport> {
  return copy({ from: storeSource(from, 'copy'), to, again, tell: () => undefined })
}

describe('a copy', () => {
  it('is refused while a worker runs, and names it', async () => {
    const { from, to } = await sides()
    await put(from, 2)
    const node = await nodeOn(from)
    const held = await node.take()
    const report = await run(from, to)
    expect(report.stopped).toMatch(/node n .* runs 1 job: stop its workers, or move with --live/)
    expect(await dumpAll(to.store)).toEqual([])
    await node.settle(held, { kind: 'release' })
    expect((await run(from, to)).stopped).toMatch(/node n .* has 1 worker: stop its workers/)
    await from.store.leave('n')
    expect((await run(from, to)).stopped).toBe(null)
  })

  it('takes what a dead worker held as a sweep leaves it', async () => {
    const { from, to, clock } = await sides()
    const [id] = await put(from, 1)
    await (await nodeOn(from, 'dead')).take()
    await clock.advance(60_000)
    expect((await run(from, to)).stopped).toBe(null)
    const held = await (await nodeOn(to)).take()
    expect([held.id, held.attempt, held.crashes]).toEqual([id, 2, 1])
  })

  it('goes into no queue that has jobs of its own', async () => {
    const { from, to } = await sides()
    await put(from, 2)
    await put(to, 3)
    const before = await dumpAll(to.store)
    const report = await run(from, to)
    expect(report.stopped).toMatch(/queue q of the target has 3 jobs of its own/)
    expect(await dumpAll(to.store)).toEqual(before)
  })

  it('leaves alone what was copied and has run since, unless it is told to', async () => {
    const { from, to } = await sides()
    await put(from, 3)
    await run(from, to)
    expect(await (await nodeOn(to)).drain()).toHaveLength(3)
    const report = await run(from, to)
    expect([report.stopped, report.skipped, report.loaded]).toEqual([null, ['q'], 0])
    expect((await run(from, to, true)).loaded).toBe(3)
  })

  it('starts nothing before it is whole, wherever a call fails, and goes on from there', async () => {
    for (const verb of ['dump', 'load', 'control'] as const) {
      for (const kind of ['before', 'after'] as const) {
        for (let call = 0; ; call++) {
          const { from, to, faulty } = await sides()
          const ids = await put(from, 40, (n) => ({ queue: ['q', 'r'][n % 2], group: `${n % 3}` }))
          await put(from, 1, () => ({ after: [{ queue: 'q', id: ids[0] }], unique: unique('k') }))
          const ill = await faulty()
          ill.from.script(verb, ...Array.from({ length: call }, () => null), { kind })
          ill.to.script(verb, ...Array.from({ length: call }, () => null), { kind })
          const broken = run({ ...from, store: ill.from }, { ...to, store: ill.to })
          const failed = await broken.then(
            () => false,
            () => true,
          )
          if (!failed) break
          const queues = (await dumpAll(to.store)).filter((item) => item.kind === 'queue')
          const open = queues.filter(({ transit }) => transit?.side !== 'arriving')
          if (open.length === 0) {
            for (const queue of ['q', 'r']) {
              expect((await (await nodeOn(to)).claim({ queue })).jobs).toEqual([])
            }
          }
          const report = await run(from, to)
          expect(report.stopped, `${verb} ${kind} ${call}`).toBe(null)
          expect(comparable(await dumpAll(to.store))).toEqual(comparable(await dumpAll(from.store)))
        }
      }
    }
  })

  it('stays closed when the two are not the same at the end', async () => {
    const { from, to } = await sides()
    await put(from, 5)
    let lost: PortableJob | null = null
    const store = new Proxy(to.store, {
      get: (inner, verb) => {
        const word: unknown = Reflect.get(inner, verb)
        if (verb !== 'load') {
          return typeof word === 'function' ? (word.bind(inner) as unknown) : word
        }
        return async (items: readonly PortableJob[]) => {
          lost ??= items.filter(({ kind }) => kind === 'job').at(-1) ?? null
          const answers = (await inner.load(items.filter((item) => item !== lost))).values()
          return items.map((item) => (item === lost ? { status: 'loaded' } : answers.next().value))
        }
      },
    })
    const report = await run(from, { ...to, store })
    expect(report.stopped).toMatch(/the two differ: q: {"pending":5} here, {"pending":4} there/)
    expect((await (await nodeOn(to)).claim()).jobs).toEqual([])
    expect((await run(from, to)).stopped).toBe(null)
    expect(await (await nodeOn(to)).drain()).toHaveLength(5)
  })
})
