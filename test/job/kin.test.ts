// Parents in the book alone, at sizes that a seam would make slow: depth must not overflow, and
// neither fan-in nor fan-out may cost more than its edges.
import { describe, expect, it } from 'vitest'
import { Book } from '../../src/job/book/book.js'
import { Children } from '../../src/job/book/children.js'
import { copyExtra, emptyExtra } from '../../src/job/book/extra.js'
import type { Extra, Item, Kin, Shelf } from '../../src/job/book/extra.js'
import { Sparse } from '../../src/job/book/sparse.js'
import type { Frame } from '../../src/job/book/frame.js'
import type { NewJob } from '../../src/job/lot.js'
import { newJob } from '../../src/testing/conformance/build.js'

/** Keeps nothing: these tests look at no paper. */
const SHELF: Shelf = {
  put: () => undefined,
  share: () => undefined,
  drop: () => undefined,
  paper: (filing, item) => (filing as readonly Item[])[item], // as: what `apply` below hands in
  token: () => 1,
  jobs: () => [],
  read: (paper) => paper as Item, // as: see `paper`
}

function bookWith(jobs: readonly NewJob[]): Book {
  const book = new Book(SHELF)
  book.apply<Frame['kind']>({ kind: 'insert', lots: [jobs.length], items: jobs }, 1_000, jobs)
  return book
}

function refs(...ids: readonly string[]) {
  return ids.map((id) => ({ queue: 'q', id }))
}

const DEPTH = 100_000

describe('parents in the book', () => {
  it('a chain of 100,000 falls within the frame that fails its first', () => {
    const words = { onParentFailed: 'discard' } as const
    const jobs = Array.from({ length: DEPTH }, (_, at) =>
      newJob(`j${at}`, { ...words, after: at === 0 ? [] : refs(`j${at - 1}`) }),
    )
    const book = bookWith(jobs.reverse())
    const counts = book.ledger.findQueue('q')?.counts
    expect(counts?.[4]).toBe(DEPTH - 1)
    const items = [{ queue: 'q', id: 'j0', action: 'cancel', reason: null } as const]
    const answer = book.apply<'control'>({ kind: 'control', items }, 2_000, items)
    expect(answer.happened.length).toBe(DEPTH)
    expect([counts?.[4], counts?.[6], counts?.[7]]).toEqual([0, 1, DEPTH - 1])
    expect(book.ledger.doomed).toEqual([])
  })

  it('one parent releases 100,000 children in the order in which they came', () => {
    const children = Array.from({ length: DEPTH }, (_, at) =>
      newJob(`c${at}`, { after: refs('p') }),
    )
    const book = bookWith([newJob('p'), ...children])
    const items = [{ queue: 'q', id: 'p', action: 'delete' } as const]
    book.apply<'control'>({ kind: 'control', items }, 2_000, items)
    expect(book.ledger.findQueue('q')?.counts[4]).toBe(DEPTH)
    const retry = children.map(({ queue, id }) => ({ queue, id, action: 'retry' }) as const)
    const answer = book.apply<'control'>({ kind: 'control', items: retry }, 3_000, retry)
    expect(answer.changed).toBe(DEPTH)
    expect(book.ledger.findQueue('q')?.counts[1]).toBe(DEPTH)
  })
})

describe('what waits for its parents', () => {
  it('is not expired by a sweep that was decided before it waited again', () => {
    const child = newJob('c', { after: refs('p'), expiresIn: 10 })
    const book = bookWith([newJob('p'), child])
    const items = [{ queue: 'q', id: 'c', why: 'expired', token: 0 } as const]
    const answer = book.apply<'sweep'>({ kind: 'sweep', gone: null, items }, 9_000, [])
    expect(answer.happened).toEqual([])
    expect(book.ledger.state(book.ledger.find(child))).toBe('waiting')
  })

  it('for an instant, too, moves with the wall’s clock', () => {
    const child = newJob('c', { after: refs('p'), at: 5_000 })
    const book = bookWith([newJob('p'), child])
    book.apply<'clock'>({ kind: 'clock', wallOffset: 2_000 }, 1_000, [])
    const items = [{ queue: 'q', id: 'p', action: 'cancel', reason: null } as const]
    book.apply<'control'>({ kind: 'control', items }, 1_500, items)
    const retry = [{ queue: 'q', id: 'c', action: 'retry' } as const]
    book.apply<'control'>({ kind: 'control', items: retry }, 1_600, retry)
    const slot = book.ledger.find(child)
    expect(book.ledger.state(slot)).toBe('scheduled')
    expect(book.ledger.dueOf(slot) + book.ledger.wallOffset).toBe(5_000)
  })
})

describe('the children of a parent', () => {
  it('are forgotten when they have left, so that a parent that waits long does not grow', () => {
    const extras = new Sparse<Extra>(copyExtra)
    const children = new Children(extras)
    for (let round = 0; round < 1_000; round++) {
      const row = {
        queue: 'q',
        id: 'p',
        end: null,
        result: null,
        slot: 7,
        isWaived: false,
      }
      const kin: Kin = { policy: 'wait', parents: [row], unfinished: 1, failed: 0 }
      extras.set(9, { ...emptyExtra(), kin })
      children.add(7, 9, 0)
      expect(children.of(7).length).toBeGreaterThan(0)
    }
    expect(children.sizeOf(7)).toBeLessThan(100)
    extras.delete(9)
    expect(children.of(7)).toEqual([])
  })
})
