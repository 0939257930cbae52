// A dump of a book goes through pages of all that it keeps: what a page costs must not grow with what is kept.
import { describe, expect, it } from 'vitest'
import { Book } from '../../src/job/book/book.js'
import { Columns } from '../../src/job/book/columns.js'
import { oldest } from '../../src/job/book/dump.js'
import { SheetShelf } from '../../src/stores/sql/sheet.js'
import { newJob, upTo } from '../../src/testing/conformance/build.js'

function bookOf(count: number, from = 0, book = new Book(new SheetShelf(), new Columns())): Book {
  const items = upTo(count).map((n) =>
    newJob(`job-${from + n}`, { queue: n % 2 === 0 ? 'a' : 'b' }),
  )
  book.apply<'insert'>({ kind: 'insert', lots: [count], items }, 1_000, items)
  return book
}

/** Page by page; the numbers of insertion. `between`: after each page. */
function dumped({ ledger }: Book, page: number, between: () => void = () => undefined): number[] {
  const seqs: number[] = []
  for (;;) {
    const slots = oldest(ledger, null, seqs.at(-1) ?? 0, page)
    seqs.push(...slots.map((slot) => ledger.columns.seq.get(slot)))
    if (slots.length < page) return seqs
    between()
  }
}

describe('pages of a dump', () => {
  it('look at each slot some times, not once for each page', () => {
    const book = bookOf(40_000)
    const { state } = book.ledger.columns
    let looks = 0
    const get = state.get.bind(state)
    state.get = (slot) => (looks++, get(slot))
    expect(dumped(book, 100).length).toBe(40_000)
    expect(looks).toBeLessThan(10 * 40_000)
  })

  it('are whole though jobs go and come meanwhile, and their slots with them', () => {
    const book = bookOf(5_000)
    const { ledger } = book
    const before = new Set(dumped(book, 5_001))
    const removed = new Set<number>()
    let page = 0
    const seen = dumped(book, 100, () => {
      page++
      const [ahead] = oldest(ledger, null, 5_000 - 20 * page, 1)
      if (page <= 30) {
        removed.add(ledger.columns.seq.get(ahead))
        ledger.remove(ahead)
        bookOf(1, 10_000 + page, book)
      }
    })
    expect(removed.size).toBe(30)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter((seq) => before.has(seq)).length).toBe(5_000 - 30)
    expect(seen.filter((seq) => !before.has(seq)).length).toBe(30)
    expect(seen.filter((seq) => removed.has(seq))).toEqual([])
  })

  it('of some queues and of others in turns are those of each', () => {
    const { ledger } = bookOf(1_000)
    const number = (name: string): number => ledger.findQueue(name)?.number ?? -1
    const [a, b] = [new Set([number('a')]), new Set([number('b')])]
    for (let after = 0; after < 900; after += 100) {
      for (const of of [a, b]) {
        const slots = oldest(ledger, of, after, 10)
        expect(slots.length).toBe(10)
        expect(slots.every((slot) => of.has(ledger.columns.queue.get(slot)))).toBe(true)
        expect(ledger.columns.seq.get(slots[0])).toBeLessThanOrEqual(after + 2)
      }
    }
  })
})
