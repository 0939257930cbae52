// Why does it not run: in the words of the faces, for jobs, queues and groups.
import { describe, expect, it } from 'vitest'
import type { Gate } from '../../src/index.js'
import { gateWords } from '../../src/cli/gate-words.js'
import { bench, fault } from './harness.js'

const idle = (): Promise<void> => new Promise(() => undefined)

describe('queue.explain', () => {
  it('answers null for an id that nobody knows, and refuses what is none', async () => {
    const queue = bench().mill.queue('q')
    expect(await queue.explain('x')).toBeNull()
    expect(await fault(() => queue.explain(''))).toContain('OPTION_INVALID')
  })

  it('tells instants as dates and spans in milliseconds', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const later = await queue.enqueue(1, { in: '10s' })
    const first = await queue.enqueue(2)
    const worker = queue.work(idle, { concurrency: 1 })
    await clock.advance(3000)
    expect((await queue.explain(later.id))?.gates).toEqual([
      { kind: 'not-due', state: 'scheduled', opensIn: 7000 },
    ])
    const running = (await queue.explain(first.id))?.gates[0]
    expect(running).toMatchObject({ kind: 'running', worker: worker.id, attempt: 1 })
    expect(running?.kind === 'running' && running.since instanceof Date).toBe(true)
  })

  it('counts who goes first, and names those that fill a cap', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { concurrency: 2 })
    const jobs = await queue.enqueueMany([1, 2, 3, 4])
    queue.work(idle, { concurrency: 4 })
    await clock.advance(100)
    const first = jobs.slice(0, 2).map(({ id }) => ({ queue: 'q', id }))
    expect((await queue.explain(jobs[2].id))?.gates).toEqual([
      { kind: 'cap', what: 'queue', limit: 2, running: 2, first },
    ])
    await queue.set({ concurrency: Infinity })
    await clock.advance(100)
    const more = await queue.enqueueMany([5, 6])
    expect(await queue.explain(more[1].id)).toEqual({ state: 'available', gates: [], ahead: 1 })
  })
})

describe('a pause', () => {
  it('is told with its layer, everywhere and here', async () => {
    const { mill, another } = bench()
    const queue = mill.queue('q')
    const { id } = await queue.enqueue(1, { group: 'g' })
    await queue.pause()
    await queue.pause({ group: 'g' })
    await queue.pause({ where: 'here', group: 'g' })
    await queue.pause({ where: 'here', group: 'other' })
    await mill.pauseAll({ where: 'here' })
    const paused = (gates: readonly Gate[] = []) =>
      gates.flatMap((gate) => (gate.kind === 'paused' ? [`${gate.what} ${gate.where}`] : []))
    const everywhere = ['queue everywhere', 'group everywhere']
    expect(paused((await queue.explain(id))?.gates)).toEqual([
      ...['all here', 'group here'],
      ...everywhere,
    ])
    expect(paused((await another().queue('q').explain(id))?.gates)).toEqual(everywhere)
    expect(paused((await mill.explain('q'))?.gates)).toContain('all here')
  })
})

describe('mill.explain', () => {
  it('tells every gate once: those of the queue, and then those of its next job', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    await queue.enqueue(1, { in: '1h' })
    await queue.pause()
    await mill.pauseAll()
    const kinds = async () => (await mill.explain('q'))?.gates.map(({ kind }) => kind)
    expect(await kinds()).toEqual(['paused', 'paused', 'not-due', 'no-worker'])
    await queue.pause({ where: 'here' })
    expect(await kinds()).toEqual(['paused', 'paused', 'paused', 'not-due', 'no-worker'])
  })

  it('says what holds the whole queue, what is in it and what goes next', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    expect(await mill.explain('unheard of')).toBeNull()
    const { id } = await queue.enqueue(1)
    const told = await mill.explain('q')
    expect(told).toMatchObject({ queue: 'q', next: { queue: 'q', id } })
    expect(told?.gates).toEqual([{ kind: 'no-worker', task: 'default', workers: 0 }])
    expect(told?.counts.available).toBe(1)
  })
})

describe('queue.groups', () => {
  it('pages by name, with counts and who holds a group', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue<string>('q', {
      order: 'blocking',
      backoff: { type: 'fixed', delay: '1h' },
    })
    for (const group of ['b', 'a', 'c']) await queue.enqueue(group, { group })
    await queue.enqueue('a', { group: 'a' })
    queue.work((payload) => {
      if (payload === 'a') throw new Error('not today')
    })
    await clock.advance(100)
    const page = await queue.groups({ limit: 1 })
    expect(page).toHaveLength(1)
    expect(page[0]).toMatchObject({ group: 'a', paused: false })
    expect(page[0].counts).toMatchObject({ retryable: 1, available: 1 })
    expect(typeof page[0].blockedBy).toBe('string')
  })
})

describe('gates in words', () => {
  const now = Date.parse('2026-01-01T00:05:00Z')
  const since = new Date('2026-01-01T00:00:00Z')
  const by = { queue: 'q', id: 'X' }
  it.each<[Gate, string]>([
    [{ kind: 'not-due', state: 'scheduled', opensIn: 192_000 }, 'not due: in 3m 12s'],
    [{ kind: 'not-due', state: 'retryable', opensIn: 0 }, 'at the next claim'],
    [
      { kind: 'paused', what: 'group', where: 'here', since, by: 'host/7' },
      'its group is paused here, since 2026-01-01',
    ],
    [
      { kind: 'cap', what: 'queue', limit: 2, running: 2, first: [by, { queue: 'q', id: 'Y' }] },
      '2 of 2 of its queue run: X, Y',
    ],
    [
      {
        ...{ kind: 'group-blocked', group: 'acct-7', by, state: 'retryable' },
        ...{ attempt: 4, maxAttempts: 20, opensIn: 40_000 },
      },
      'group acct-7 is held by job X (retryable, attempt 4 of 20, next try in 40s)',
    ],
    [
      {
        ...{ kind: 'rate', what: 'key', key: 'smtp', count: 1000, per: 6000 },
        ...{ spent: 1000, opensIn: 300 },
      },
      'rate of key smtp: 1,000 of 1,000 in 6s are spent; opens in 300ms',
    ],
    [{ kind: 'throttled', what: 'key', opensIn: 1000 }, 'opens in 1s'],
    [
      { kind: 'parents', unfinished: 2, failed: 1, first: [by] },
      'waits for 3 jobs, 1 of them failed: X and 2 more',
    ],
    [
      { kind: 'no-worker', task: 'send-welcome', workers: 0 },
      'no live worker takes task send-welcome',
    ],
    [{ kind: 'alone', crashes: 2, busyWorkers: 3 }, 'was in 2 crashes'],
    [{ kind: 'ending', reason: 'expired' }, 'the next sweep discards it'],
    [{ kind: 'final', state: 'discarded', since }, 'discarded since 2026-01-01'],
    [
      { kind: 'running', worker: 'W', attempt: 3, since, until: new Date(now) },
      'runs in worker W since',
    ],
  ])('%o', (gate, words) => {
    expect(gateWords(gate, 'q', now)).toContain(words)
  })
})
