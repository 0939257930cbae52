// Handlers that misbehave, in real threads and processes: each is ended, and its slot works on.
import { describe, expect, it } from 'vitest'
import { built, lastError, lifeline, next, working } from './harness.js'
import type { Kind } from './harness.js'

const KINDS: readonly Kind[] = ['thread', 'process']
/** Short, since it is what is tested; a warm isolate answers in a few milliseconds. */
const TIMEOUT = 150

describe.skipIf(!built).each(KINDS)('a handler in a %s', (kind) => {
  it.each([['loop'], ['wait'], ['never']])(
    'is killed at its timeout, and its slot is taken by another isolate: %s',
    async (deed) => {
      const { run } = await working(kind)
      const before = await run({ deed: 'who' })
      const bad = await run({ deed }, { timeout: TIMEOUT })
      const after = await run({ deed: 'who' })
      expect(bad.state).toBe('discarded')
      expect(bad.history.map(({ outcome }) => outcome)).toEqual(['timeout'])
      expect(lastError(bad).message).toContain('ATTEMPT_TIMEOUT')
      expect(after.state).toBe('completed')
      expect(after.result).not.toEqual(before.result)
    },
  )

  it('frees its slot at its timeout while it blocks in native code', async () => {
    const { run } = await working(kind)
    await run({ deed: 'who' })
    const began = performance.now()
    const bad = await run({ deed: 'sleep', seconds: 5 }, { timeout: TIMEOUT })
    const after = await run({ deed: 'who' })
    expect(bad.history.map(({ outcome }) => outcome)).toEqual(['timeout'])
    expect(after.state).toBe('completed')
    expect(performance.now() - began).toBeLessThan(4_500)
  })

  it.each([
    ['exit', /exited with code 3/],
    ['memory', /ran out of memory: its heap may hold 512 MiB/],
    ['uncaught', /an error that nobody caught: RangeError: out in the open/],
  ])('that ends its isolate fails its attempt with the reason: %s', async (deed, reason) => {
    const { run } = await working(kind)
    const bad = await run({ deed })
    const after = await run({ deed: 'who' })
    expect(bad.state).toBe('discarded')
    expect(bad.history.map(({ outcome }) => outcome)).toEqual(['failed'])
    expect(lastError(bad)).toMatchObject({ name: 'IsolateEnded' })
    expect(lastError(bad).message).toMatch(reason)
    expect(after.state).toBe('completed')
  })

  it('that ends its isolate leaves its neighbours alone', async () => {
    const { mill, queue, run } = await working(kind, { concurrency: 2 })
    const line = await lifeline()
    const neighbour = await queue.enqueue({ deed: 'until told', port: line.port })
    await line.until(1)
    for (const deed of ['exit', 'uncaught']) await run({ deed })
    await run({ deed: 'loop' }, { timeout: TIMEOUT })
    const completed = next(mill, 'job.completed')
    line.connected[0].write('go')
    const [{ id }] = await completed
    expect(id).toBe(neighbour.id)
  })

  it('that crashes again and again is tried again and again, each time in a new isolate', async () => {
    const { run, queue } = await working(kind, { attempts: 3, backoff: { type: 'none' } })
    const bad = await run({ deed: 'exit' })
    expect(bad.history.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
      [3, 'failed'],
    ])
    const after = await queue.enqueue({ deed: 'echo', value: 7 })
    expect(await after.result()).toBe(7)
  })
})

describe.skipIf(!built)('a handler in a process', () => {
  it.each([
    ['abort', /ended by SIGABRT/],
    ['segfault', /ended by SIGSEGV/],
  ])('may crash in native code: its attempt fails, and no more: %s', async (deed, reason) => {
    const { run } = await working('process')
    const bad = await run({ deed })
    expect(lastError(bad).message).toMatch(reason)
    expect((await run({ deed: 'who' })).state).toBe('completed')
  })

  it('is killed with the processes that it started', async () => {
    const { run } = await working('process')
    const line = await lifeline()
    await run({ deed: 'who' })
    const bad = await run({ deed: 'loop with child', port: line.port }, { timeout: 2_000 })
    expect(bad.history.map(({ outcome }) => outcome)).toEqual(['timeout'])
    expect(line.connected).toHaveLength(2)
    await line.gone()
  })

  it('takes the processes that it started along when it ends by itself', async () => {
    const { run } = await working('process')
    const line = await lifeline()
    const bad = await run({ deed: 'exit with child', port: line.port })
    expect(lastError(bad).message).toMatch(/exited with code 4/)
    expect(line.connected).toHaveLength(1)
    await line.gone()
  })
})
