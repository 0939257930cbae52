// Pauses against what is under way: claims that had left, a store that does not answer, a close.
import { describe, expect, it } from 'vitest'
import type { PauseSpec } from '../../src/engine/engine.js'
import {
  COMPLETE,
  insert,
  newJob,
  overriding,
  rig,
  stateOf,
  storeError,
  working,
} from './harness.js'

const spec = (change: Partial<PauseSpec> = {}): PauseSpec => ({
  ...{ where: 'here', queue: 'q', group: null, wait: null, by: 'the test', subject: 'pause' },
  ...change,
})

describe('a pause here', () => {
  it.each([[{}], [{ group: 'g' }], [{ queue: null }]] as const)(
    'gives back what a claim under way brings: %j',
    async (aim) => {
      const { engine, clock, scripted, told } = rig()
      await insert(engine, newJob('a', { group: 'g' }))
      const go = scripted.hold('exchange')
      engine.start(working(() => COMPLETE))
      await clock.advance(10)
      await engine.pause(spec(aim))
      go()
      await clock.advance(10_000)
      expect(told('job.started')).toEqual([])
      expect(await stateOf(engine, 'a')).toBe('available')
      await engine.resume(spec(aim))
      await clock.advance(10)
      expect(told('job.completed')).toHaveLength(1)
    },
  )

  it('gives back what a take under way brings, and the take waits on', async () => {
    const { engine, clock, scripted } = rig()
    await insert(engine, newJob('a'))
    const go = scripted.hold('exchange')
    const taken = engine.take({ queue: 'q', limit: 1, wait: 60_000, backoff: null })
    await clock.advance(10)
    await engine.pause(spec())
    go()
    await clock.advance(5_000)
    expect(await stateOf(engine, 'a')).toBe('available')
    await engine.resume(spec())
    await clock.advance(10)
    expect((await taken)[0].live.claimed.id).toBe('a')
  })

  it('gives back a batch that waits to fill', async () => {
    const { engine, clock, told } = rig()
    await insert(engine, newJob('a'))
    const together = () => async () => COMPLETE
    engine.start({ ...working(() => COMPLETE), perform: { size: 9, wait: 60_000, together } })
    await clock.advance(10)
    const paused = engine.pause(spec({ wait: 1_000 }))
    await clock.advance(1_000)
    await paused
    expect(told('job.released')).toHaveLength(1)
  })
})

describe('a pause everywhere', () => {
  it('that the store did not take is none, and nobody is told of one', async () => {
    const { engine, clock } = rig({
      wrap: overriding('control', () => () => Promise.reject(storeError('STORE_UNREACHABLE'))),
    })
    const heard: unknown[] = []
    engine.events.on('queue.paused', (event) => void heard.push(event))
    await insert(engine, newJob('a'))
    const everywhere = spec({ where: 'everywhere' })
    await expect(engine.pause(everywhere)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    engine.start(working(() => COMPLETE))
    await clock.advance(10)
    expect(heard).toEqual([])
    expect(await stateOf(engine, 'a')).toBe('gone')
  })

  it('that waits ends when the Millrace closes', async () => {
    const { engine, clock } = rig()
    await insert(engine, newJob('a'))
    engine.start(working(() => new Promise(() => undefined)))
    await clock.advance(10)
    const paused = engine.pause(spec({ where: 'everywhere', wait: 600_000 }))
    const failed = paused.catch((error: unknown) => (error as { code: string }).code)
    await clock.advance(1_000)
    const closed = engine.close({ timeout: 0 })
    await clock.advance(10_000)
    await closed
    expect(await failed).toBe('STORE_CLOSED')
  })
})
