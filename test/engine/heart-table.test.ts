import { describe, expect, it } from 'vitest'
import { HeartTable, VERSION, readTable } from '../../src/engine/heart-table.js'
import { TABLE_SLOTS } from '../../src/job/defaults.js'

function table() {
  const grown: SharedArrayBuffer[] = []
  const made = new HeartTable((columns) => void grown.push(columns))
  const read = () => readTable(new Int32Array(made.shared.control), made.shared.columns)
  return { table: made, grown, read }
}

describe("the heart's table", () => {
  it('shows the reader what is open, how far, and what runs until when', () => {
    const { table: it, read } = table()
    it.tick(12.5)
    it.opened(3)
    it.opened(4)
    it.upTo(4)
    it.closed(3)
    const place = it.started('9007199254740991', 99.5)
    it.ended(it.started('5', 1))
    const runs = [{ token: '9007199254740991', deadline: 99.5 }]
    expect(read()).toEqual({ upTo: 4, loopMono: 12.5, open: [4], runs })
    it.ended(place)
    expect(read()?.runs).toEqual([])
  })

  it('leaves out tokens that are no decimal below 2^53', () => {
    const { table: it, read } = table()
    for (const token of ['a1', '9007199254740993', '01', '1.5', '-0']) {
      it.ended(it.started(token, 1))
    }
    expect(it.started('x', 1)).toBe(-1)
    expect(read()?.runs).toEqual([])
  })

  it('grows, and loses nothing of either column by it', () => {
    const { table: it, grown, read } = table()
    const claims = Array.from({ length: 3 * TABLE_SLOTS }, (_, n) => n + 1)
    for (const claim of claims) it.opened(claim)
    const places = claims.map((claim) => it.started(String(claim), claim + 0.5))
    expect(grown).toHaveLength(2)
    expect(new Set(places).size).toBe(claims.length)
    expect(new Set(read()?.open)).toEqual(new Set(claims))
    expect(read()?.runs).toHaveLength(claims.length)
    for (const claim of claims) it.closed(claim)
    for (const place of places) it.ended(place)
    expect(read()).toMatchObject({ open: [], runs: [] })
    for (const claim of claims) it.opened(claim)
    expect(grown).toHaveLength(2)
  })

  it('is not read while something is being written', () => {
    const { table: it, read } = table()
    Atomics.add(new Int32Array(it.shared.control), VERSION, 1)
    expect(read()).toBeNull()
  })
})
