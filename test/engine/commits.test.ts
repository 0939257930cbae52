// A commit and the end of its attempt: whichever comes first, what took effect is told as what it is, and
// what was said within it is kept with it.
import { describe, expect, it } from 'vitest'
import type { Live } from '../../src/engine/engine.js'
import type { Note } from '../../src/job/verdict.js'
import type { Store } from '../../src/store.js'
import { COMPLETE, insert, newJob, overriding, rig, signal, working } from './harness.js'

/** A store that commits, and answers when it is let go: by then the attempt may be over. */
function committing({ check = 'as it is' }: { readonly check?: 'as it is' | 'all lost' } = {}) {
  const [landed, noted] = [signal(), [] as Note[]]
  let isLost = false
  const commit = (inner: Store): Store['commit'] => {
    return async (settlement, write, { signal: over, said }) => {
      await write(null)
      await landed.done
      if (isLost) throw over.reason
      const note = said?.() ?? null
      if (note !== null) noted.push(note)
      const ask = { node: 'any', settle: [settlement], claim: [] }
      const { settled, happened = [] } = await inner.exchange(ask)
      return { settled: settled[0], happened }
    }
  }
  const land = (): void => landed.fire()
  const lose = (): void => {
    isLost = true
    land()
  }
  const lost = overriding('check', (inner) => async (ask) => {
    const checked = await inner.check(ask)
    return check === 'as it is' ? checked : { ...checked, lost: ask.held.map(({ token }) => token) }
  })
  const wrap = (store: Store): Store => lost(overriding('commit', commit)(store))
  return { ...rig({ wrap }), land, lose, noted }
}

const saying = async (live: Live) => {
  await live.commit(null, () => {
    live.log('charged')
    live.progress(0.5)
  })
  return COMPLETE
}

describe('a commit whose attempt has ended meanwhile', () => {
  it('is told as what it is when it took effect all the same, with all that was said in it', async () => {
    const { engine, clock, told, land, noted } = committing()
    await insert(engine, newJob('a', { timeout: 100 }))
    engine.start(working(saying))
    await clock.advance(1_000)
    expect(told('job.completed')).toEqual([])
    land()
    await clock.advance(1_000)
    expect(told('job.completed')).toMatchObject([{ id: 'a' }])
    expect(told('job.progress')).toMatchObject([{ progress: 0.5 }])
    expect(noted).toMatchObject([{ id: 'a', log: ['charged'], progress: 0.5 }])
    expect([...told('store.error'), ...told('attempt.failed')]).toEqual([])
  })

  it('is no loss of the lease, though a look finds its token dead before its answer comes', async () => {
    const { engine, clock, told, land } = committing({ check: 'all lost' })
    await insert(engine, newJob('a'))
    engine.start(working(saying))
    await clock.advance(20_000) // some beats, and the looks that they bring
    land()
    await clock.advance(1_000)
    expect(told('job.completed')).toMatchObject([{ id: 'a' }])
    expect(told('store.error')).toEqual([])
  })

  it('gives way to the end that it held up when it came to nothing', async () => {
    const { engine, clock, told, lose } = committing()
    await insert(engine, newJob('a', { timeout: 100 }))
    engine.start(working(saying))
    await clock.advance(1_000)
    expect(told('attempt.failed')).toEqual([])
    lose()
    await clock.advance(100)
    const failed = told('attempt.failed')
    expect(failed.map(({ error }) => error?.message)).toEqual([
      expect.stringContaining('ATTEMPT_TIMEOUT'),
    ])
    expect([...told('store.error'), ...told('job.completed')]).toEqual([])
  })

  it('leaves its slot to others at once', async () => {
    const { engine, clock, told } = committing()
    await insert(engine, newJob('a', { timeout: 100 }))
    let isFirst = true
    const perform = (live: Live) => {
      if (!isFirst) return COMPLETE
      isFirst = false
      return saying(live)
    }
    engine.start(working(perform, { concurrency: 1 }))
    await clock.advance(1_000)
    await insert(engine, newJob('b'))
    await clock.advance(1_000)
    expect(told('job.completed')).toMatchObject([{ id: 'b' }])
  })
})

describe('a throttle said in a commit that failed', () => {
  it('goes out at once, though the handler goes on', async () => {
    const { engine, clock, scripted } = committing()
    await insert(engine, newJob('a'))
    engine.start(
      working(async (live) => {
        const write = (): never => {
          live.throttle({ what: 'queue', delay: 5_000 })
          throw new Error('busy')
        }
        await live.commit(null, write).catch(() => undefined)
        return new Promise<never>(() => undefined)
      }),
    )
    await clock.advance(10)
    expect(scripted.count('note')).toBe(1)
  })
})
