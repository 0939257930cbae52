import { describe, expect, it } from 'vitest'
import type { Asked, Live } from '../../src/engine/engine.js'
import { MillraceError } from '../../src/job/errors.js'
import { ERROR_BYTES } from '../../src/job/defaults.js'
import { sleep } from '../../src/time/clock.js'
import { COMPLETE, insert, newJob, rig, signal, stateOf, working } from './harness.js'

const FIXED = { type: 'fixed', delay: 8_000 } as const

describe('a run', () => {
  it('that returns completes its job', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a'), newJob('b'))
    engine.start(working(() => COMPLETE))
    await clock.advance(10)
    expect(told('job.completed').map(({ id }) => id)).toEqual(['a', 'b'])
    expect(told('job.started')[0]).toMatchObject({ id: 'a', attempt: 1, task: 'default' })
    expect(await stateOf(engine, 'a')).toBe('gone')
  })

  it('gets what was enqueued, and the settings in force', async () => {
    const { engine, clock } = rig()
    const seen: Live[] = []
    const payload = { text: '{"n":1}', codec: 'json' } as const
    await insert(engine, newJob('a', { payload, group: 'g', tags: ['t'], timeout: 5 }))
    engine.start(working((live) => (seen.push(live), COMPLETE)))
    await clock.advance(10)
    expect(seen[0].claimed).toMatchObject({ id: 'a', payload, group: 'g', tags: ['t'], timeout: 5 })
    expect(seen[0].settings.attempts).toBe(20)
    expect(seen[0].signal.aborted).toBe(false)
  })

  it.each<[string, () => unknown, string]>([
    ['an error', () => new TypeError('bad'), 'TypeError'],
    ['a string', () => 'just text', 'Thrown'],
    ['nothing', () => undefined, 'Thrown'],
    ['an object whose name throws', hostile, 'Error'],
  ])('that throws %s is a failed attempt, and comes back', async (_, thrown, name) => {
    const { engine, told, clock } = rig()
    await engine.open()
    await engine.store.declare('q', { backoff: FIXED })
    await insert(engine, newJob('a'))
    engine.start(working(() => Promise.reject(thrown())))
    await clock.advance(10)
    expect(told('attempt.failed')).toMatchObject([{ outcome: 'failed', error: { name } }])
    expect(told('job.retrying')).toMatchObject([{ id: 'a', delay: 8_000 }])
    await clock.advance(8_000)
    expect(told('job.started').map(({ attempt }) => attempt)).toEqual([1, 2])
  })

  it('whose attempts are spent is discarded', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { attempts: 2 }))
    engine.start(working(() => ({ kind: 'fail', error: new Error('no') })))
    await clock.advance(10_000)
    expect(told('attempt.failed')).toHaveLength(2)
    expect(told('job.discarded')).toMatchObject([
      { id: 'a', reason: 'attempts-spent', message: 'no', attempt: 2 },
    ])
    expect(await stateOf(engine, 'a')).toBe('discarded')
  })

  it('leaves of an error at most what history keeps', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a'))
    const error = new Error('€'.repeat(10_000))
    engine.start(working(() => ({ kind: 'fail', error })))
    await clock.advance(10)
    const kept = told('attempt.failed')[0].error
    const bytes = Buffer.byteLength([kept?.name, kept?.message, kept?.stack].join(''))
    expect(bytes).toBeLessThanOrEqual(ERROR_BYTES)
    expect(kept?.message).toMatch(/^€+$/)
  })

  it('may ask for a snooze, a release, a cancel or a discard', async () => {
    const { engine, told, clock } = rig()
    const asked: Record<string, Asked> = {
      snoozed: { kind: 'snooze', delay: 60_000 },
      released: { kind: 'release' },
      cancelled: { kind: 'cancel', reason: 'enough' },
      given: { kind: 'discard', reason: 'given-up', message: 'no such address' },
    }
    await insert(engine, ...Object.keys(asked).map((id) => newJob(id)))
    engine.start(
      working(({ claimed: { id } }) => {
        const answer = asked[id]
        if (id === 'released') asked[id] = COMPLETE
        return answer
      }),
    )
    await clock.advance(100)
    expect(told('job.snoozed')).toMatchObject([{ id: 'snoozed', delay: 60_000 }])
    expect(told('job.released')).toMatchObject([{ id: 'released', attempt: 1 }])
    expect(told('job.completed')).toMatchObject([{ id: 'released', attempt: 1 }])
    expect(told('job.cancelled')).toMatchObject([{ id: 'cancelled', reason: 'enough' }])
    expect(told('job.discarded')).toMatchObject([
      { id: 'given', reason: 'given-up', message: 'no such address' },
    ])
  })

  it('tells progress and log lines before its verdict, the last progress only', async () => {
    const { engine, told, clock, scripted } = rig()
    await insert(engine, newJob('a'))
    engine.start(
      working((live) => {
        live.progress(0.2)
        live.progress(7)
        live.log('one')
        live.log('two')
        return { kind: 'fail', error: 'x' }
      }),
    )
    await clock.advance(10)
    expect(told('job.progress')).toMatchObject([{ id: 'a', progress: 1 }])
    const [found] = await engine.store.get([{ queue: 'q', id: 'a' }])
    expect(found).toMatchObject({ job: { log: ['one', 'two'], progress: 1 } })
    expect(scripted.count('note')).toBe(1)
  })

  it('tells progress of a long run soon', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a'))
    engine.start(
      working(async (live) => {
        live.progress(0.5)
        await sleep(clock, 10_000)
        return COMPLETE
      }),
    )
    await clock.advance(1000)
    expect(told('job.progress')).toHaveLength(1)
    expect(told('job.completed')).toHaveLength(0)
  })

  it('ends though its notes cannot be told', async () => {
    const { engine, told, clock, scripted } = rig()
    scripted.failBefore('note', 10)
    await insert(engine, newJob('a'))
    engine.start(working((live) => (live.log('x'), COMPLETE)))
    await clock.advance(2000)
    expect(told('job.completed')).toHaveLength(1)
    expect(told('store.error')).toHaveLength(1)
  })
})

describe('a timeout', () => {
  it('aborts the signal, frees the slot at once and fails the attempt', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { timeout: 1000, attempts: 1 }), newJob('b'))
    let reason: unknown
    engine.start(
      working(
        (live) => {
          if (live.claimed.id === 'b') return COMPLETE
          live.signal.addEventListener('abort', () => void (reason = live.signal.reason))
          return new Promise<Asked>(() => undefined)
        },
        { concurrency: 1 },
      ),
    )
    await clock.advance(999)
    expect(told('attempt.failed')).toHaveLength(0)
    await clock.advance(1)
    expect(MillraceError.is(reason, 'ATTEMPT_TIMEOUT')).toBe(true)
    expect(told('attempt.failed')).toMatchObject([{ outcome: 'timeout', duration: 1000 }])
    expect(told('job.discarded')).toMatchObject([{ id: 'a', reason: 'attempts-spent' }])
    expect(told('job.completed')).toMatchObject([{ id: 'b' }])
  })

  it('makes a later result count for nothing', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { timeout: 1000, attempts: 1 }))
    engine.start(
      working(async () => {
        await sleep(clock, 5000)
        return COMPLETE
      }),
    )
    await clock.advance(6000)
    expect(told('job.completed')).toHaveLength(0)
    expect(told('attempt.failed')).toHaveLength(1)
  })

  it('lets a result count that came in the same turn', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { timeout: 1000, attempts: 1 }))
    engine.start(
      working(async () => {
        await sleep(clock, 1000)
        return COMPLETE
      }),
    )
    await clock.advance(2000)
    expect(told('job.completed')).toHaveLength(1)
    expect(told('attempt.failed')).toHaveLength(0)
  })

  it('counts for a handler that held the loop past it, though no timer could fire', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { timeout: 1000, attempts: 1 }))
    engine.start(
      working(() => {
        blockFor(clock, 5000)
        return COMPLETE
      }),
    )
    await clock.advance(10)
    expect(told('job.completed')).toHaveLength(0)
    expect(told('attempt.failed')).toMatchObject([{ outcome: 'timeout' }])
  })

  it('of each of a thousand runs is kept by one timer', async () => {
    const { engine, told, clock } = rig()
    const jobs = Array.from({ length: 1000 }, (_, n) => newJob(`j${n}`, { timeout: 100 + (n % 3) }))
    await insert(engine, ...jobs.map((job) => ({ ...job, attempts: 1 })))
    engine.start(working(() => new Promise<Asked>(() => undefined), { concurrency: 1000 }))
    await clock.advance(110)
    expect(told('attempt.failed')).toHaveLength(1000)
  })
})

describe('at-most-once', () => {
  it.each<[string, Asked]>([
    ['a failure', { kind: 'fail', error: new Error('x') }],
    ['a snooze', { kind: 'snooze', delay: 10 }],
    ['a release', { kind: 'release' }],
  ])('never runs twice: %s discards', async (_, asked) => {
    const { engine, told, clock } = rig()
    await engine.open()
    await engine.store.declare('q', { delivery: 'at-most-once' })
    await insert(engine, newJob('a'))
    engine.start(working(() => asked))
    await clock.advance(100_000)
    expect(told('job.started')).toHaveLength(1)
    expect(told('job.discarded')).toMatchObject([{ reason: 'attempts-spent' }])
  })
})

describe('a backoff function', () => {
  it.each<[string, () => number]>([
    [
      'throws',
      () => {
        throw new Error('oops')
      },
    ],
    ['answers nonsense', () => NaN],
  ])('that %s means the cap, and is told', async (_, backoff) => {
    const { engine, told, clock } = rig()
    await engine.open()
    await engine.store.declare('q', { backoff: { type: 'custom' } })
    await insert(engine, newJob('a'))
    engine.start(working(() => ({ kind: 'fail', error: 1 }), { backoff }))
    await clock.advance(10)
    expect(told('job.retrying')).toMatchObject([{ delay: 3_600_000 }])
    expect(told('store.error')).toHaveLength(1)
  })

  it('is asked with the attempt that failed, its error and its job', async () => {
    const { engine, told, clock } = rig()
    await engine.open()
    await engine.store.declare('q', { backoff: { type: 'custom' } })
    await insert(engine, newJob('a'))
    const asked: unknown[] = []
    const backoff = (attempt: number, error: unknown, { id }: { id: string }) => {
      asked.push([attempt, error, id])
      return 2_500
    }
    engine.start(working(() => ({ kind: 'fail', error: 'why' }), { backoff }))
    await clock.advance(10)
    expect(asked).toEqual([[1, 'why', 'a']])
    expect(told('job.retrying')).toMatchObject([{ delay: 2_500 }])
  })
})

describe('a cancel of a running job', () => {
  it('aborts its signal; what would bring it back then cancels it', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a', { attempts: 1 }))
    let reason: unknown
    engine.start(
      working(async (live) => {
        await new Promise((resolve) => live.signal.addEventListener('abort', resolve))
        reason = live.signal.reason
        throw live.signal.reason
      }),
    )
    await clock.advance(10)
    await engine.control({ kind: 'cancel', queue: 'q', which: { ids: ['a'] }, reason: 'stop it' })
    await clock.advance(10)
    expect(MillraceError.is(reason, 'JOB_CANCELLED')).toBe(true)
    expect(told('job.cancelled')).toHaveLength(1)
    expect(await stateOf(engine, 'a')).toBe('cancelled')
  })

  it('lets a completed result complete', async () => {
    const { engine, told, clock } = rig()
    await insert(engine, newJob('a'))
    const go = signal()
    engine.start(working(() => go.done.then(() => COMPLETE)))
    await clock.advance(10)
    await engine.control({ kind: 'cancel', queue: 'q', which: { ids: ['a'] }, reason: null })
    await clock.advance(10)
    go.fire()
    await clock.advance(10)
    expect(told('job.completed')).toHaveLength(1)
  })
})

function hostile(): Error {
  const error = new Error('x')
  Object.defineProperty(error, 'name', {
    get: () => {
      throw new Error('no name')
    },
  })
  return error
}

/** Moves the hands without letting any timer fire, as a handler does that computes. */
function blockFor(clock: { mono: () => number }, ms: number): void {
  const before = clock.mono.bind(clock)
  clock.mono = () => before() + ms
}
