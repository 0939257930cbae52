// What the book is built of, beside plain models: columns and what few slots have, lent and then
// changed; the fifo; the table of ids while it grows; sorting in slices.
import { describe, expect, it } from 'vitest'
import { Columns } from '../../src/job/book/columns.js'
import { CHUNK_SLOTS, Float64Column, QuadColumn, Uint32Column } from '../../src/job/book/column.js'
import { Fifo } from '../../src/job/book/fifo.js'
import { Ids } from '../../src/job/book/ids.js'
import { sorted } from '../../src/job/book/order.js'
import { Sparse } from '../../src/job/book/sparse.js'
import { makeIds } from '../../src/job/id.js'
import { seededChance, VirtualClock } from '../../src/time/virtual.js'

describe('a column', () => {
  it('says what was written, and its blank where nothing was', () => {
    const column = new Uint32Column(new Uint32Array(CHUNK_SLOTS).fill(7))
    column.grow()
    column.grow()
    column.set(CHUNK_SLOTS + 1, 42)
    expect([0, 1, CHUNK_SLOTS, CHUNK_SLOTS + 1].map((slot) => column.get(slot))).toEqual([
      7, 7, 7, 42,
    ])
  })

  it('shares nothing that was written with other columns', () => {
    const [one, other] = [new Float64Column(), new Float64Column()]
    one.grow()
    other.grow()
    one.set(3, 1.5)
    expect(other.get(3)).toBe(0)
  })

  it('says in a loan what it said when it was lent, whoever changes what', () => {
    const column = new Float64Column()
    column.grow()
    column.grow()
    column.set(1, 10)
    column.set(CHUNK_SLOTS, 20)
    const first = column.lend()
    column.set(1, 11)
    const second = column.lend()
    column.set(1, 12)
    column.set(CHUNK_SLOTS, 21)
    first.set(CHUNK_SLOTS, 99)
    column.grow()
    column.set(2 * CHUNK_SLOTS, 30)
    expect([column.get(1), column.get(CHUNK_SLOTS)]).toEqual([12, 21])
    expect([first.get(1), second.get(1), second.get(CHUNK_SLOTS)]).toEqual([10, 11, 20])
    expect(second.chunks.length).toBe(2)
  })

  it('of four words is copied before it is written, too', () => {
    const column = new QuadColumn()
    column.grow()
    column.ownChunk(5)[column.at(5)] = 1
    const loan = column.lend()
    column.ownChunk(5)[column.at(5)] = 2
    expect([loan.chunk(5)[loan.at(5)], column.chunk(5)[column.at(5)]]).toEqual([1, 2])
  })
})

describe('what few slots have', () => {
  interface Thing {
    words: string[]
  }
  const copy = ({ words }: Thing): Thing => ({ words: [...words] })

  it('agrees with a map, lent and changed at random', () => {
    const dice = seededChance(1)
    const draw = (sides: number): number => Math.floor(dice.next() * sides)
    const things = new Sparse<Thing>(copy)
    const model = new Map<number, string[]>()
    const loans: { readonly loan: Sparse<Thing>; readonly said: unknown }[] = []
    const shown = (of: Sparse<Thing>): unknown =>
      [...of.entries(0, 10_000)].map(([slot, { words }]) => [slot, [...words]])
    const expected = (): unknown =>
      [...model].sort(([a], [b]) => a - b).map(([slot, words]) => [slot, [...words]])
    for (let step = 0; step < 20_000; step++) {
      const slot = draw(5_000)
      const change = draw(4)
      if (change === 0) {
        things.set(slot, { words: [`set ${step}`] })
        model.set(slot, [`set ${step}`])
      } else if (change === 1) {
        things.own(slot)?.words.push(`more ${step}`)
        model.get(slot)?.push(`more ${step}`)
      } else {
        things.delete(slot)
        model.delete(slot)
      }
      if (step % 4_000 === 3_999) loans.push({ loan: things.lend(), said: expected() })
    }
    expect(shown(things)).toEqual(expected())
    for (const { loan, said } of loans) expect(shown(loan)).toEqual(said)
  })

  it('shows only the slots that are asked for', () => {
    const texts = new Sparse<string>((text) => text)
    for (const slot of [0, 1_023, 1_024, 5_000]) texts.set(slot, `at ${slot}`)
    expect([...texts.entries(1, 1_024)]).toEqual([[1_023, 'at 1023']])
    expect([...texts.entries(1_024, 9_000)].map(([slot]) => slot)).toEqual([1_024, 5_000])
  })
})

describe('a fifo', () => {
  it('agrees with an array, pushed and shifted at random', () => {
    const dice = seededChance(2)
    const fifo = new Fifo<number>()
    let model: number[] = []
    for (let step = 0; step < 30_000; step++) {
      // First it grows over many blocks, then it runs dry.
      if (dice.next() < (step < 15_000 ? 0.7 : 0.2)) {
        fifo.push(step)
        model.push(step)
      } else {
        expect(fifo.shift()).toBe(model[0])
        model = model.slice(1)
      }
      if (fifo.length !== model.length || fifo.first !== model[0]) break
      const at = Math.floor(dice.next() * 3_000)
      if (fifo.at(at) !== model[at]) expect([at, fifo.at(at)]).toEqual([at, model[at]])
    }
    expect([fifo.length, fifo.first]).toEqual([model.length, model[0]])
  })
})

describe('the table of ids', () => {
  it('finds what is there and nothing else, while it grows and shrinks', () => {
    const columns = new Columns()
    const ids = new Ids(columns)
    const make = makeIds(new VirtualClock(), seededChance(3))
    const dice = seededChance(4)
    const there = new Map<string, { readonly queue: number; readonly slot: number }>()
    const gone: { readonly queue: number; readonly id: string }[] = []
    for (let step = 0; step < 12_000; step++) {
      const queue = step % 3
      const id = step % 5 === 0 ? `own-${step}` : make()
      const slot = columns.take()
      ids.add(slot, queue, id)
      there.set(id, { queue, slot })
      if (dice.next() > 0.4) continue
      const [[old, known]] = there
      ids.remove(known.slot)
      columns.release(known.slot)
      there.delete(old)
      gone.push({ queue: known.queue, id: old })
    }
    const found = [...there].map(([id, { queue }]) => ids.find(queue, id))
    expect(found).toEqual([...there.values()].map(({ slot }) => slot))
    expect([...there].map(([, { slot }]) => ids.text(slot))).toEqual([...there.keys()])
    expect(gone.filter(({ queue, id }) => ids.find(queue, id) !== -1)).toEqual([])
    expect([...there].filter(([id, { queue }]) => ids.find(queue + 1, id) !== -1)).toEqual([])
  })

  it('has room for what was reserved, and what was in it before', () => {
    const columns = new Columns()
    const ids = new Ids(columns)
    const make = makeIds(new VirtualClock(), seededChance(5))
    const names = Array.from({ length: 3_000 }, () => make())
    const enter = (id: string): void => ids.add(columns.take(), 0, id)
    names.slice(0, 500).forEach(enter)
    expect([...ids.reserve(3_000)].length).toBeGreaterThan(1)
    names.slice(500).forEach(enter)
    expect(names.map((id) => ids.find(0, id))).toEqual(names.map((_, slot) => slot))
  })
})

describe('sorting in slices', () => {
  const run = (
    slots: Uint32Array,
    key: readonly number[],
  ): { slots: Uint32Array; rests: number } => {
    const sorting = sorted(slots, (a, b) => key[a] - key[b] || a - b)
    for (let rests = 0; ; rests++) {
      const step = sorting.next()
      if (step.done === true) return { slots: step.value, rests }
    }
  }

  it.each([0, 1, 2, 2_047, 2_048, 2_049, 6_000, 100_000])('sorts %i slots', (count) => {
    const dice = seededChance(count)
    const key = Array.from({ length: count }, () => Math.floor(dice.next() * 1_000))
    const slots = Uint32Array.from(key, (_, slot) => slot)
    const before = slots.slice()
    const answer = run(slots, key)
    const wanted = [...before].sort((a, b) => key[a] - key[b] || a - b)
    expect([...answer.slots]).toEqual(wanted)
    expect(slots).toEqual(before)
    expect(answer.rests).toBeGreaterThanOrEqual(Math.floor(count / 8_192))
  })

  it('answers the same slots where they are in order', () => {
    const slots = Uint32Array.of(4, 7, 9)
    expect(run(slots, [0, 0, 0, 0, 1, 0, 0, 1, 0, 2]).slots).toBe(slots)
  })
})
