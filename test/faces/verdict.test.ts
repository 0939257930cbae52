// How a run ends when not by plain return or throw: the verdicts that `job` builds, and the classes
// that deep code throws.
import { describe, expect, it } from 'vitest'
import { Cancel, Discard, MillraceError, Release, Snooze } from '../../src/index.js'
import type { Job, Verdict } from '../../src/index.js'
import { bench, runs } from './harness.js'

describe('a verdict', () => {
  it.each<[string, (job: Job) => Verdict, object]>([
    ['snooze', (job) => job.snooze('5m'), { state: 'scheduled', attempt: 0 }],
    ['discard', (job) => job.discard('bad'), { state: 'discarded', reason: 'bad' }],
    ['cancel', (job) => job.cancel('enough'), { state: 'cancelled', reason: 'enough' }],
    ['fail', (job) => job.fail(new Error('x')), { state: 'discarded' }],
  ])('%s does what it says when it is returned', async (_, build, left) => {
    const { job } = await runs((_, job) => build(job))
    expect(job).toMatchObject(left)
  })

  it.each([
    ['Snooze', () => new Snooze('5m'), { state: 'scheduled', attempt: 0 }],
    ['Discard', () => new Discard('bad'), { state: 'discarded', reason: 'bad' }],
    ['Cancel', () => new Cancel('enough'), { state: 'cancelled', reason: 'enough' }],
  ])('%s does the same when it is thrown from deep code', async (_, build, left) => {
    const { job } = await runs(() => {
      throw build()
    })
    expect(job).toMatchObject(left)
  })

  it('release gives the attempt back and keeps the place', async () => {
    let first = true
    const { job, ran } = await runs((_, job) => {
      if (!first) return 'done'
      first = false
      return job.release()
    })
    expect(ran()).toBe(2)
    expect(job).toMatchObject({ state: 'completed', attempt: 1 })
    expect(new Release()).toBeInstanceOf(Error)
  })

  it.each<[string, (job: Job) => unknown]>([
    ['job.snooze', (job) => job.snooze('5m')],
    ['job.release', (job) => job.release()],
    ['Snooze', () => Promise.reject(new Snooze('5m'))],
    ['Release', () => Promise.reject(new Release())],
  ])('%s fails the one attempt where delivery is at-most-once, and says why', async (_, ask) => {
    const { job, ran } = await runs((_, job) => ask(job), { delivery: 'at-most-once' })
    expect(ran()).toBe(1)
    expect(job).toMatchObject({ state: 'discarded', history: [{ outcome: 'failed' }] })
    expect(job.reason).toContain('OPTION_INVALID queue("q").delivery')
    expect(job.history[0].error?.message).toContain('What was taken there is gone')
  })

  it('that asks for another run throws where delivery is at-most-once, so a handler may go on', async () => {
    const { job } = await runs(
      (_, job) => {
        try {
          return job.snooze('5m')
        } catch (error) {
          return MillraceError.is(error, 'OPTION_INVALID') ? 'without it' : 'what?'
        }
      },
      { delivery: 'at-most-once' },
    )
    expect(job).toMatchObject({ state: 'completed', result: 'without it' })
  })

  it.each<[string, (job: Job) => unknown]>([
    ['dropped', (job) => void job.snooze('5m')],
    ['dropped while a result is returned', (job) => (job.cancel(), 5)],
    ['thrown', (job) => Promise.reject(job.discard('x'))],
    ['wrapped', (job) => ({ verdict: job.discard('x') })],
    ['one of two', (job) => (job.cancel(), job.snooze(5))],
  ])('that is %s fails the attempt', async (how, use) => {
    const { job } = await runs((_, job) => use(job))
    expect(job.state).toBe('discarded')
    const [{ error }] = job.history
    if (how !== 'thrown') expect(error?.message).toContain('VERDICT_NOT_RETURNED')
  })

  it('of another run counts for nothing', async () => {
    const kept: Verdict[] = []
    const { mill } = bench()
    const queue = mill.queue('q', { attempts: 1 })
    await queue.enqueueMany([1, 2])
    queue.work(
      (_, job) => {
        kept.push(job.cancel())
        return kept[0]
      },
      { concurrency: 1 },
    )
    await mill.runUntilIdle()
    expect(await queue.counts()).toMatchObject({ cancelled: 1, discarded: 1 })
  })

  it('cannot be forged', async () => {
    const { job } = await runs(() => ({
      kind: 'cancel',
      reason: null,
      toString: () => 'Verdict',
    })).catch((error: unknown) => ({ job: { state: String(error) } }))
    expect(job.state).not.toBe('cancelled')
  })
})
