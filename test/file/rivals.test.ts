// Whoever decides looks at its own book, and others may be faster: what lands then is void, and the
// one who was slower is told the truth. Twins that are not told: `twins.test.ts`.
import { afterEach, describe, expect, it } from 'vitest'
import {
  bothClaim,
  bothDeclare,
  bothHoldAKey,
  killedInAWrite,
  pair,
  settledAndCancelled,
  sweptAliveAgain,
  sweptDone,
} from './rivals.js'
import type { Pair } from './rivals.js'

let made: Pair | null = null
const rivals = async (): Promise<Pair> => (made = await pair())

/** Whatever happened: both believe the same, and so does who reads it all now. */
afterEach(async () => {
  if (made === null) return
  const { a, b, fresh } = made
  made = null
  await Promise.all([a, b].map(({ store }) => store.get([])))
  await Promise.all([a, b].map(({ store }) => store.count(EVERYTHING)))
  expect(b.book()).toEqual(a.book())
  expect((await fresh()).book()).toEqual(a.book())
})
const EVERYTHING = { queue: 'q', which: {}, cursor: null }

describe('a process that is overtaken between its decision and its write', () => {
  it('gets no job that another one took', async () => {
    expect(await bothClaim(await rivals())).toBe(1)
  })

  it('gets no key that another one took', async () => {
    expect((await bothHoldAKey(await rivals())).sort()).toEqual(['duplicate', 'inserted'])
  })

  it('frees nothing of one that lives again', async () => {
    expect(await sweptAliveAgain(await rivals())).toBe(1)
  })

  it('brings nothing back that was completed meanwhile', async () => {
    expect(await sweptDone(await rivals())).toEqual(['done'])
  })

  it('brings nothing back whose end was asked meanwhile', async () => {
    expect(await settledAndCancelled(await rivals())).toEqual(['cancelled', 'available'])
  })

  it('says its settings again, so that the last word stands', async () => {
    expect(await bothDeclare(await rivals())).toEqual([{ attempts: 3 }, 2])
  })
})

describe('a process that is killed within a write', () => {
  it('leaves nothing, at whatever byte, also when others write behind it', async () => {
    let cuts = 0
    for (let bytes = 1; ; bytes++) {
      const found = await killedInAWrite(bytes)
      if (found === null) break
      cuts++
      expect(found, `after ${bytes} bytes`).toEqual([
        ['after', 'before'],
        ['after', 'before'],
      ])
    }
    expect(cuts).toBeGreaterThan(100)
  })
})
