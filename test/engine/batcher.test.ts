import { describe, expect, it } from 'vitest'
import { Batcher } from '../../src/engine/batcher.js'
import type { BatcherOptions } from '../../src/engine/batcher.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { signal } from './harness.js'

/** A batcher of texts whose sender writes down its batches and can be held up. */
function batcher(change: Partial<BatcherOptions<string, string>> = {}) {
  const clock = new VirtualClock()
  const batches: (readonly string[])[] = []
  let gates: Promise<void>[] = []
  const made = new Batcher<string, string>({
    clock,
    send: async (items) => {
      batches.push(items)
      await gates.shift()
      return items.map((item) => item.toUpperCase())
    },
    count: () => 1,
    bytes: (item) => item.length,
    most: { count: 1000, bytes: 5000 },
    waiting: { count: 10_000, bytes: 10_000 },
    overfull: () => new Error('too much'),
    inFlight: 1,
    ...change,
  })
  const hold = () => {
    const gate = signal()
    gates = [...gates, gate.done]
    return gate.fire
  }
  return { clock, batches, batcher: made, hold }
}

describe('a batcher', () => {
  it('sends what was added together together, and answers each its own', async () => {
    const { batcher: it, batches } = batcher()
    const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => it.add(`a${n}`)))
    expect(batches).toHaveLength(1)
    expect(answers).toEqual(Array.from({ length: 500 }, (_, n) => `A${n}`))
  })

  it('waits for promises that are ready before its first batch leaves', async () => {
    const { batcher: it, batches } = batcher()
    const later = async (text: string) => {
      for (let hop = 0; hop < 10; hop++) await Promise.resolve()
      return it.add(text)
    }
    await Promise.all([it.add('a'), later('b')])
    expect(batches).toEqual([['a', 'b']])
  })

  it('makes what comes while a batch is in flight the next batch', async () => {
    const { batcher: it, batches, hold, clock } = batcher()
    const go = hold()
    const first = it.add('a')
    await clock.quiet()
    const rest = [it.add('b'), it.add('c')]
    await clock.quiet()
    expect(batches).toEqual([['a']])
    go()
    await Promise.all([first, ...rest])
    expect(batches).toEqual([['a'], ['b', 'c']])
  })

  it('sends a second batch beside the first only when it is full', async () => {
    const {
      batcher: it,
      batches,
      hold,
      clock,
    } = batcher({
      most: { count: 2, bytes: 1000 },
      inFlight: 2,
    })
    const go = hold()
    const all = [it.add('a')]
    await clock.quiet()
    all.push(it.add('b'))
    await clock.quiet()
    expect(batches).toEqual([['a']])
    all.push(it.add('c'))
    await clock.quiet()
    expect(batches).toEqual([['a'], ['b', 'c']])
    go()
    await Promise.all(all)
  })

  it('keeps a batch within its count and bytes, unless one item alone is larger', async () => {
    const { batcher: it, batches } = batcher({ most: { count: 3, bytes: 10 } })
    const texts = ['a', 'b', 'c', 'd', 'x'.repeat(50), 'eeeee', 'fffff', 'g']
    await Promise.all(texts.map((text) => it.add(text)))
    expect(batches).toEqual([['a', 'b', 'c'], ['d'], ['x'.repeat(50)], ['eeeee', 'fffff'], ['g']])
  })

  it('rejects with what the sender threw, that batch alone', async () => {
    let sends = 0
    const { batcher: it } = batcher({
      most: { count: 1, bytes: 1000 },
      send: async (items) => {
        if (sends++ === 0) throw new Error('away')
        return [...items]
      },
    })
    const answers = await Promise.allSettled([it.add('a'), it.add('b')])
    expect(answers.map((answer) => answer.status)).toEqual(['rejected', 'fulfilled'])
  })

  it('rejects a batch that got too few answers', async () => {
    const { batcher: it } = batcher({ send: async () => [] })
    await expect(it.add('a')).rejects.toThrow('0 answers to 1 questions')
  })

  it('refuses what would pass the bound of what may wait', async () => {
    const { batcher: it, hold, clock } = batcher({ waiting: { count: 2, bytes: 1000 } })
    const go = hold()
    const first = it.add('a')
    await clock.quiet()
    const waiting = [it.add('b'), it.add('c')]
    await expect(it.add('d')).rejects.toThrow('too much')
    go()
    await Promise.all([first, ...waiting])
  })

  it('keeps the order of a lane, and lets lanes overtake each other', async () => {
    const {
      batcher: it,
      batches,
      hold,
      clock,
    } = batcher({
      lanes: 2,
      laneOf: (item) => item.charAt(0),
    })
    const go = hold()
    const slow = [it.add('a1')]
    await clock.quiet()
    slow.push(it.add('a2'))
    await it.add('b1')
    expect(batches).toEqual([['a1'], ['b1']])
    go()
    await Promise.all(slow)
    expect(batches).toEqual([['a1'], ['b1'], ['a2']])
  })

  it('closes: what waits is rejected, what is in flight is answered', async () => {
    const { batcher: it, hold, clock } = batcher()
    const go = hold()
    const inFlight = it.add('a')
    await clock.quiet()
    const waiting = it.add('b')
    it.close(new Error('closed'))
    await expect(waiting).rejects.toThrow('closed')
    await expect(it.add('c')).rejects.toThrow('closed')
    go()
    expect(await inFlight).toBe('A')
    await it.idle()
  })
})
