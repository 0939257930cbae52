// Hints that say only that anything may have changed: looked after at once, and not for each of them.
import { describe, expect, it } from 'vitest'
import { Rumours } from '../../src/engine/rumours.js'
import { PREFETCH_PATIENCE, RUMOUR_SPAN } from '../../src/job/defaults.js'
import type { Hint, Store } from '../../src/store.js'
import type { Clock } from '../../src/time/clock.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, working } from './harness.js'

describe('rumours', () => {
  function listening() {
    const clock = new VirtualClock()
    const looks: number[] = []
    const begun = clock.mono()
    const rumours = new Rumours(clock, () => looks.push(clock.mono() - begun))
    return { clock, looks, rumours }
  }

  /** An engine that hears of what holds only what is said here. */
  function hearsay() {
    const heard = new Set<(hint: Hint) => void>()
    const watch: Store['watch'] = (hear) => {
      heard.add(hear)
      return () => heard.delete(hear)
    }
    const say = (queue: string | null, what: Hint['what'] = 'control'): void => {
      for (const hear of heard) hear({ what, queue })
    }
    return { ...rig({ wrap: (store) => Object.assign(store, { watch }) }), say }
  }

  it('are looked after at once, then once a span, and the last one, too', async () => {
    const { clock, looks, rumours } = listening()
    for (let at = 0; at <= 25; at++) {
      rumours.hear()
      await clock.advance(RUMOUR_SPAN / 10)
    }
    await clock.advance(10 * RUMOUR_SPAN)
    expect(looks).toEqual([0, RUMOUR_SPAN, 2 * RUMOUR_SPAN, 3 * RUMOUR_SPAN])
    rumours.hear()
    await clock.advance(0)
    expect(looks).toHaveLength(5)
  })

  it('are looked after no more when it is closed', async () => {
    const { clock, looks, rumours } = listening()
    rumours.hear()
    await clock.advance(0)
    rumours.hear()
    rumours.close()
    await clock.advance(10 * RUMOUR_SPAN)
    expect(looks).toEqual([0])
  })

  it('are looked after no more, though a look was about to begin when it was closed', async () => {
    const { clock, looks, rumours } = listening()
    rumours.hear()
    rumours.close()
    await clock.advance(10 * RUMOUR_SPAN)
    expect(looks).toEqual([])
  })

  it('are looked after though the loop is held up until the next may be', () => {
    let [looks, rested, turned] = [0, () => undefined as void, () => undefined as void]
    const clock: Clock = {
      ...{ wall: () => 0, mono: () => 0, within: () => undefined },
      after: (_, run) => ((rested = run), { cancel: () => undefined }),
      soon: (run) => (turned = run),
    }
    new Rumours(clock, () => looks++).hear()
    rested()
    turned()
    expect(looks).toBe(1)
  })

  it('cost a node that holds jobs few looks; one that names a queue is followed each time', async () => {
    const { engine, clock, scripted, say } = hearsay()
    const hint = async (queue: string | null): Promise<void> => {
      say(queue)
      await clock.advance(1)
    }
    await insert(engine, newJob('a'))
    engine.start(working(() => new Promise<never>(() => undefined)))
    await clock.advance(2500)
    const before = scripted.count('check')
    for (let at = 0; at < RUMOUR_SPAN; at++) await hint(null)
    await clock.advance(2 * RUMOUR_SPAN)
    expect(scripted.count('check') - before).toBe(2)
    for (let at = 0; at < 10; at++) await hint('q')
    expect(scripted.count('check') - before).toBe(12)
    const closed = engine.close({ timeout: 0 })
    await clock.advance(60_000)
    await closed
  })

  it('of nothing leave what was fetched ahead; of a pause they give it back', async () => {
    const { engine, clock, told, say } = hearsay()
    const hint = async (): Promise<void> => {
      say(null)
      await clock.advance(RUMOUR_SPAN)
    }
    // Whoever holds one has looked what holds.
    await insert(engine, newJob('first'))
    let done = 0
    const never = new Promise<never>(() => undefined)
    const isLong = (): boolean => done++ % 1000 === 0
    engine.start(working(() => (isLong() ? never : COMPLETE), { concurrency: 2 }))
    await clock.advance(20_000)
    await insert(engine, ...Array.from({ length: 3000 }, (_, at) => newJob(`j${at}`)))
    say('q', 'jobs')
    await clock.advance(PREFETCH_PATIENCE / 10)
    const { counts } = await engine.store.count({ queue: 'q', which: {}, cursor: null })
    const ahead = counts.running - 2
    expect(ahead).toBeGreaterThan(0)
    await hint()
    expect(told('job.released')).toEqual([])
    await engine.store.control({ kind: 'pause', queue: 'q', group: null, by: 'the test' }, null)
    await hint()
    expect(told('job.released')).toHaveLength(ahead)
    const closed = engine.close({ timeout: 0 })
    await clock.advance(60_000)
    await closed
  })
})
