// The one test that waits for real time: milliseconds, and always for the signal, never for a guess.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sleep } from '../../src/time/clock.js'
import { systemChance, systemClock } from '../../src/time/system.js'

afterEach(() => vi.useRealTimers())

describe('the system clock', () => {
  it('never fires early', async () => {
    for (const delay of [0, 0.4, 1, 3.7, 10]) {
      const start = systemClock.mono()
      await sleep(systemClock, delay)
      expect(systemClock.mono() - start).toBeGreaterThanOrEqual(delay)
    }
  })

  it('runs what is due soon in the next turn', async () => {
    const seen: string[] = []
    const done = new Promise<void>((resolve) =>
      systemClock.soon(() => (seen.push('soon'), resolve())),
    )
    await Promise.resolve().then(() => seen.push('promise'))
    await done
    expect(seen).toEqual(['promise', 'soon'])
  })

  it('runs what belongs to this turn within it, after whatever else is ready', async () => {
    const seen: string[] = []
    const done = new Promise<void>((resolve) => {
      systemClock.soon(() => (seen.push('soon'), resolve()))
    })
    systemClock.within(() => {
      seen.push('within')
      systemClock.within(() => seen.push('and again'))
      void Promise.resolve().then(() => seen.push('what came of it'))
    })
    void (async () => {
      for (let hop = 0; hop < 10; hop++) await Promise.resolve()
      seen.push('promises')
    })()
    await done
    expect(seen).toEqual(['promises', 'within', 'what came of it', 'and again', 'soon'])
  })

  it('knows delays beyond what one timer holds, and never fires at Infinity', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const days = 60 * 86_400_000
    let ran = 0
    systemClock.after(days, () => ran++)
    const never = systemClock.after(Infinity, () => (ran += 100))
    await vi.advanceTimersByTimeAsync(days - 1)
    expect(ran).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(ran).toBe(1)
    never.cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('forgets a cancelled timer', async () => {
    let ran = false
    systemClock.after(1, () => (ran = true)).cancel()
    systemClock.after(1, () => (ran = true), { ref: false }).cancel()
    await sleep(systemClock, 5)
    expect(ran).toBe(false)
  })

  it('shows the time of day', () => {
    expect(Math.abs(systemClock.wall() - Date.now())).toBeLessThan(1000)
  })
})

describe('system chance', () => {
  it('gives numbers in [0, 1) and as many bytes as asked', () => {
    for (let i = 0; i < 100; i++) {
      const drawn = systemChance.next()
      expect(drawn >= 0 && drawn < 1).toBe(true)
    }
    expect(systemChance.bytes(16)).toHaveLength(16)
    expect(systemChance.bytes(16)).not.toEqual(systemChance.bytes(16))
  })
})
