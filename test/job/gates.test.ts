// Gates are asked again when a claim is applied: of claims that were decided on the same book, none
// of which saw the others, no more is given than the gates allow; and what was not given stands
// where it stood.
import { describe, expect, it } from 'vitest'
import type { ClaimAsk } from '../../src/job/claim.js'
import { Book } from '../../src/job/book/book.js'
import { decideClaim } from '../../src/job/book/decide-claim.js'
import type { ClaimProposal } from '../../src/job/book/decide-claim.js'
import type { Item, Shelf } from '../../src/job/book/extra.js'
import type { NewJob } from '../../src/job/lot.js'
import type { SettingsLayer } from '../../src/job/settings.js'
import { newJob, QUEUE, upTo } from '../../src/testing/conformance/build.js'
import { cardOf } from '../../src/testing/conformance/played-node.js'

/** Papers are the items themselves. */
class Drawer implements Shelf {
  readonly #jobs: NewJob[] = []
  #tokens = 0

  put(slot: number, filing: readonly NewJob[], item: number): void {
    this.#jobs[slot] = filing[item]
  }

  share(from: number, to: number): void {
    this.#jobs[to] = this.#jobs[from]
  }

  drop(slot: number): void {
    this.#jobs.splice(slot, 1, newJob('gone'))
  }

  paper(filing: readonly Item[], item: number): Item {
    return filing[item]
  }

  token(): number {
    return ++this.#tokens
  }

  jobs(slots: readonly number[]): readonly NewJob[] {
    return slots.map((slot) => this.#jobs[slot])
  }

  read(paper: Item): Item {
    return paper
  }
}

const NODES = ['n1', 'n2', 'n3']
const GROUPS = ['a', 'b', 'c']

/** A book with three nodes and so many jobs in three groups. */
function bookWith(settings: SettingsLayer, jobs = 30): Book {
  const book = new Book(new Drawer())
  for (const node of NODES) book.apply({ kind: 'hello', card: cardOf(node) }, 0, [])
  const layer = { kind: 'settings', queue: QUEUE, revision: 1, layer: 'declared' } as const
  book.apply({ ...layer, settings }, 0, [])
  const items = upTo(jobs).map((at) => newJob(`job-${at}`, { group: GROUPS[at % 3] }))
  book.apply({ kind: 'insert', lots: [jobs], items }, 0, items)
  return book
}

function ask(words: Partial<ClaimAsk> = {}): ClaimAsk {
  const usual = { queue: QUEUE, worker: 'w', claim: 1, tasks: null, limit: 10, alone: false }
  return { ...usual, ...words }
}

/** Each node decides before any of them is applied; answers how many each was given. */
function race(book: Book, between: () => void = () => undefined): number[] {
  const proposals = NODES.map((node) => decideClaim(book.ledger, node, [ask()], 0))
  between()
  return proposals.map((proposal) => applied(book, proposal))
}

function applied(book: Book, proposal: ClaimProposal): number {
  const { frame } = proposal
  const tokens = frame === null ? null : book.apply<'claim'>(frame, 0, frame.items)
  proposal.undo()
  return tokens?.filter((token) => token > 0).length ?? 0
}

describe('claims that were decided side by side', () => {
  const RACES: readonly (readonly [string, SettingsLayer, number])[] = [
    ['a cap', { concurrency: 4 }, 4],
    ['caps of groups', { groups: { concurrency: 2 } }, 6],
    ['a rate', { rate: { count: 7, per: 1_000, key: null } }, 7],
    ['a shared rate', { rate: { count: 7, per: 1_000, key: 'k' } }, 7],
    ['rates of groups', { groups: { rate: { count: 1, per: 1_000 } } }, 3],
    ['blocking order', { order: 'blocking' }, 3],
  ]
  it.each(RACES)('get together no more than %s allows', (_, settings, allowed) => {
    const book = bookWith(settings)
    const given = race(book).reduce((sum, one) => sum + one, 0)
    expect(given).toBe(allowed)
    expect(race(book)).toEqual([0, 0, 0])
  })

  it('get nothing of what is paused between the decision and its frame', () => {
    for (const [queue, group] of [
      [null, null],
      [QUEUE, null],
    ] as const) {
      const book = bookWith({})
      const pause = { kind: 'pause', action: 'pause', queue, group, by: 'me' } as const
      const given = race(book, () => book.apply(pause, 0, []))
      expect(given).toEqual([0, 0, 0])
      book.apply({ ...pause, action: 'resume' }, 0, [])
      expect(race(book).reduce((sum, one) => sum + one, 0)).toBe(30)
    }
  })

  it('get nothing of a group, a queue or a key that was throttled meanwhile', () => {
    const book = bookWith({ groups: { concurrency: 100 } })
    const given = race(book, () => book.ledger.rates.throttle('g:1:qb', 0, 500))
    expect(given.reduce((sum, one) => sum + one, 0)).toBe(20)
  })
})

describe('a claim that came to nothing', () => {
  it('leaves the order as it was, whatever gates there are', () => {
    const settings: readonly SettingsLayer[] = [
      {},
      { order: 'blocking' },
      { concurrency: 5 },
      { groups: { concurrency: 2, rate: null, weights: { a: 3 } } },
      { rate: { count: 8, per: 1_000, key: null } },
    ]
    for (const layer of settings) {
      const book = bookWith(layer)
      const first = decideClaim(book.ledger, 'n1', [ask({ limit: 9 })], 0)
      first.undo()
      for (const limit of [3, 30, 1]) decideClaim(book.ledger, 'n2', [ask({ limit })], 0).undo()
      const again = decideClaim(book.ledger, 'n1', [ask({ limit: 9 })], 0)
      expect(again.frame?.items).toEqual(first.frame?.items)
    }
  })
})

describe('a hundred thousand groups', () => {
  it('are closed, opened and served one by one without a second look at any', () => {
    const book = bookWith({ order: 'blocking' }, 0)
    for (const part of upTo(20)) {
      const items = upTo(10_000).map((at) => {
        const number = (part * 10_000 + at) % 100_000
        return newJob(`job-${part}-${at}`, { group: `g${number}` })
      })
      book.apply({ kind: 'insert', lots: [10_000], items }, 0, items)
    }
    let given = 0
    for (const claim of upTo(100)) {
      const asked = [ask({ limit: 1_000, claim })]
      given += applied(book, decideClaim(book.ledger, 'n1', asked, 0))
    }
    expect(given).toBe(100_000)
    expect(decideClaim(book.ledger, 'n1', [ask()], 0).frame).toBeNull()
  })
})
