// Steps on their way to the store: durable before they answer, together where they come together,
// tried again while the store is away, and never kept by a dead token.
import { describe, expect, it } from 'vitest'
import type { Live } from '../../src/engine/engine.js'
import type { Encoded } from '../../src/job/codec.js'
import { COMPLETE, insert, newJob, rig, signal, stateOf, storeError, working } from './harness.js'

const value: Encoded = { text: '1', codec: 'json' }
const step = (name: string) => ({ name, value })

describe('a step', () => {
  it('answers when the store has it, and not before', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a'))
    const go = scripted.hold('note')
    const heard: string[] = []
    engine.start(working(async (live) => (heard.push(await live.keep(step('x'))), COMPLETE)))
    await clock.advance(1_000)
    expect(heard).toEqual([])
    go()
    await clock.advance(1)
    expect(heard).toEqual(['done'])
  })

  it('travels with those that come at the same time', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, ...Array.from({ length: 10 }, (_, at) => newJob(`j${at}`)))
    engine.start(
      working(async (live) => {
        await Promise.all([live.keep(step('x')), live.keep(step('y'))])
        return { kind: 'fail', error: 'again' }
      }),
    )
    await clock.advance(10)
    expect(scripted.count('note')).toBe(1)
    const [found] = await engine.store.get([{ queue: 'q', id: 'j3' }])
    expect(found).toMatchObject({ job: { history: [{ steps: ['x', 'y'] }] } })
  })

  it('is tried again until the store has it, also when its answer was lost', async () => {
    const { engine, clock, scripted, told } = rig()
    await insert(engine, newJob('a'))
    scripted.failBefore('note', 5)
    scripted.failAfter('note', 1)
    const heard: string[] = []
    engine.start(
      working(async (live) => {
        heard.push(await live.keep(step('x')))
        return { kind: 'fail', error: 'again' }
      }),
    )
    await clock.advance(500)
    expect(heard).toEqual([])
    expect(told('store.error')[0].error.code).toBe('STORE_UNREACHABLE')
    await clock.advance(4_000)
    expect(heard[0]).toBe('done')
    expect(scripted.count('note')).toBeGreaterThanOrEqual(7)
    expect(told('job.retrying').length).toBeGreaterThan(0)
  })

  it('that its handler did not wait for is kept before the verdict goes out', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a'))
    const go = scripted.hold('note')
    engine.start(
      working((live) => {
        void live.keep(step('x'))
        return { kind: 'fail', error: 'again' }
      }),
    )
    await clock.advance(500)
    expect(await stateOf(engine, 'a')).toBe('running')
    go()
    await clock.advance(1)
    const [found] = await engine.store.get([{ queue: 'q', id: 'a' }])
    expect(found).toMatchObject({ job: { state: 'retryable', history: [{ steps: ['x'] }] } })
  })

  it('of an attempt that is over is not even sent', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a', { timeout: 100 }))
    const gate = signal()
    const heard: unknown[] = []
    engine.start(
      working(async (live) => {
        await gate.done
        heard.push(live.isHeld, await live.keep(step('late')))
        return COMPLETE
      }),
    )
    await clock.advance(200)
    gate.fire()
    await clock.advance(1)
    expect(heard).toEqual([false, 'lost'])
    expect(scripted.count('note')).toBe(0)
  })

  it('under way when the lease is lost answers so at once', async () => {
    const { engine, clock, scripted } = rig({ beat: 1_000 })
    await insert(engine, newJob('a'))
    scripted.hold('note')
    const lives: Live[] = []
    const heard: string[] = []
    engine.start(
      working(async (live) => {
        lives.push(live)
        heard.push(await live.keep(step('x')))
        return COMPLETE
      }),
    )
    await clock.advance(10)
    scripted.next('check', async () => {
      return { gone: false, cancelling: [], lost: [lives[0].claimed.token], rules: '' }
    })
    await clock.advance(1_000)
    expect(heard).toEqual(['lost'])
  })

  it('says so when the store does something that no store should', async () => {
    const { engine, clock, scripted, told } = rig()
    await insert(engine, newJob('a', { attempts: 1 }))
    scripted.next('note', () => Promise.reject(new RangeError('a bug')))
    engine.start(working(async (live) => (await live.keep(step('x')), COMPLETE)))
    await clock.advance(10)
    expect(told('attempt.failed')[0].error?.message).toContain('STORE_UNREACHABLE')
  })

  it('ends with the Millrace, whatever waits', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a', { timeout: Infinity }))
    for (let at = 0; at < 50; at++)
      scripted.next('note', () => Promise.reject(storeError('STORE_UNREACHABLE')))
    const heard: unknown[] = []
    engine.start(
      working(async (live) => {
        await live.keep(step('x')).then(
          (noted) => heard.push(noted),
          (error: unknown) => heard.push((error as { code: string }).code),
        )
        return COMPLETE
      }),
    )
    await clock.advance(10)
    const closed = engine.close({ timeout: 100 })
    await clock.advance(10_000)
    await closed
    expect(heard).toEqual(['STORE_CLOSED'])
  })
})
