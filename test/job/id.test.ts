import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMadeId, makeIds, packId, unpackId } from '../../src/job/id.js'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'

const made = (seed = 1) => {
  const clock = new VirtualClock({ wall: 1_700_000_000_000 })
  return { clock, next: makeIds(clock, seededChance(seed)) }
}
const rising = (ids: readonly string[]) => ids.every((id, i) => i === 0 || ids[i - 1] < id)

describe('ids', () => {
  it('have 26 characters of the canonical alphabet', () => {
    const { next } = made()
    for (let i = 0; i < 100; i++) expect(next()).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  })

  it('begin with the time, as the ULID layout says', () => {
    const clock = new VirtualClock({ wall: 1_469_918_176_385 }) // the example of the ULID documents
    expect(makeIds(clock, seededChance(1))().slice(0, 10)).toBe('01ARYZ6S41')
  })

  it('rise strictly, also for thousands in one millisecond', () => {
    const { next } = made()
    const ids = Array.from({ length: 50_000 }, next)
    expect(rising(ids)).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('rise while the wall goes back, and follow it when it passes them', async () => {
    const { clock, next } = made()
    const ids = [next()]
    clock.jumpWall(-3_600_000)
    ids.push(next(), next())
    clock.jumpWall(3_600_000)
    await clock.advance(1)
    ids.push(next())
    expect(rising(ids)).toBe(true)
    expect(ids[3].slice(0, 10) > ids[0].slice(0, 10)).toBe(true)
  })

  it('borrow the next millisecond when the random part is spent', () => {
    const clock = new VirtualClock({ wall: 5 })
    const full = { next: () => 0, bytes: (n: number) => new Uint8Array(n).fill(255) }
    const next = makeIds(clock, full)
    expect([next(), next()]).toEqual([`0000000005${'Z'.repeat(16)}`, `0000000006${'Z'.repeat(16)}`])
  })

  it('of two makers do not meet', () => {
    const [a, b] = [made(1).next, made(2).next]
    const ids = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? a() : b()))
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('packed ids', () => {
  const word = fc.nat({ max: 0xffff_ffff })

  it('come back as they went in, at any offset', () => {
    const into = new Uint32Array(12)
    const { next } = made()
    for (let i = 0; i < 2000; i++) {
      const id = next()
      expect(packId(id, into, i % 9)).toBe(true)
      expect(unpackId(into, i % 9)).toBe(id)
    }
  })

  it('cover every pattern of 128 bits', () => {
    fc.assert(
      fc.property(word, word, word, word, (...words) => {
        const from = Uint32Array.from(words)
        const into = new Uint32Array(4)
        const id = unpackId(from, 0)
        expect(packId(id, into, 0)).toBe(true)
        expect(into).toEqual(from)
      }),
    )
  })

  it('compare as their texts', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
        const both = Uint32Array.from(words)
        const [a, b] = [unpackId(both, 0), unpackId(both, 4)]
        const differs = [0, 1, 2, 3].find((i) => both[i] !== both[i + 4])
        if (differs === undefined) expect(a).toBe(b)
        else expect(a < b).toBe(both[differs] < both[differs + 4])
      }),
    )
  })

  it('refuse every other text and leave the words alone', () => {
    const into = new Uint32Array(4).fill(7)
    const good = unpackId(into, 0)
    const bad = ['', 'a', good.toLowerCase(), `8${good.slice(1)}`, `${good}0`, good.slice(1)]
    const odd = ['I', 'L', 'O', 'U', 'é', '٣', '\u{1F600}', ' ', '-'].map(
      (c) => good.slice(0, 25) + c,
    )
    for (const id of [...bad.filter((b) => b !== good), ...odd, `${'0'.repeat(25)}a`]) {
      expect(packId(id, into, 0), id).toBe(false)
      expect(isMadeId(id)).toBe(false)
    }
    expect([...into]).toEqual([7, 7, 7, 7])
    expect(isMadeId(good)).toBe(true)
  })
})
