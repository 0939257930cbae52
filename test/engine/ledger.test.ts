import { describe, expect, it } from 'vitest'
import { Ledger } from '../../src/engine/ledger.js'
import type { Holding, Mirror, OpenClaim } from '../../src/engine/ledger.js'
import { Solitude } from '../../src/engine/solitude.js'
import type { Attempt } from '../../src/engine/runner.js'
import { VirtualClock } from '../../src/time/virtual.js'

const holding = (token: string, claim: OpenClaim): Holding => ({
  ...{ queue: 'q', id: token, token, group: '', claim },
  lose: () => undefined,
  askCancel: () => undefined,
})

describe('the ledger', () => {
  it('knows how far claims were answered without a gap, in whatever order answers come', () => {
    const ledger = new Ledger()
    const [one, two, three] = [ledger.ask(), ledger.ask(), ledger.ask()]
    expect(ledger.upTo).toBe(0)
    ledger.answered(two, 0, 0)
    expect(ledger.upTo).toBe(0)
    ledger.gaveUp(one)
    expect(ledger.upTo).toBe(2)
    ledger.answered(three, 1, 0)
    expect([ledger.upTo, ledger.open]).toEqual([3, [3]])
  })

  it('has a claim open until the last of its jobs is dropped', () => {
    const ledger = new Ledger()
    const claim = ledger.answered(ledger.ask(), 2, 0)
    const [a, b] = [holding('1', claim), holding('2', claim)]
    ledger.hold(a)
    ledger.hold(b)
    ledger.drop(a)
    ledger.drop(a)
    expect(ledger.open).toEqual([1])
    ledger.drop(b)
    expect([ledger.open, ledger.idle]).toEqual([[], true])
  })

  it('owes a beat for a claim that was given up, until one said so', () => {
    const ledger = new Ledger()
    let busy = 0
    ledger.onBusy = () => busy++
    const claim = ledger.ask()
    expect(busy).toBe(0)
    ledger.gaveUp(claim)
    expect([busy, ledger.restful, ledger.idle]).toEqual([1, false, true])
    ledger.beaten(claim - 1)
    expect(ledger.restful).toBe(false)
    ledger.beaten(claim)
    expect(ledger.restful).toBe(true)
  })

  it('opens a claim in its mirror before it says how far claims were answered', () => {
    const told: string[] = []
    const mirror: Mirror = {
      opened: (claim) => void told.push(`open ${claim}`),
      closed: (claim) => void told.push(`closed ${claim}`),
      upTo: (claim) => void told.push(`upTo ${claim}`),
      started: () => 0,
      ended: () => undefined,
    }
    const ledger = new Ledger()
    ledger.answered(ledger.ask(), 1, 0)
    ledger.mirror = mirror
    ledger.answered(ledger.ask(), 1, 0)
    ledger.clear()
    expect(told).toEqual(['open 1', 'upTo 1', 'open 2', 'upTo 2', 'closed 1', 'closed 2'])
  })
})

describe('solitude', () => {
  it('begins what must run alone when all else was settled, and opens after it', () => {
    const ledger = new Ledger()
    const claim = ledger.answered(ledger.ask(), 3, 0)
    const [poison, other] = [holding('1', claim), holding('2', claim)]
    const told: string[] = []
    const solitude = new Solitude({
      clock: new VirtualClock(),
      ledger,
      neighbours: () => [{ makeRoom: () => void told.push('make room') }],
      onOpen: () => void told.push('open'),
    })
    ledger.hold(poison)
    ledger.hold(other)
    solitude.enter(poison as unknown as Attempt, () => void told.push('begin')) // as: solitude looks at tokens alone
    expect([told, solitude.shut]).toEqual([['make room'], true])
    ledger.drop(other)
    expect(told).toEqual(['make room', 'begin'])
    ledger.drop(poison)
    expect([told, solitude.shut]).toEqual([['make room', 'begin', 'open'], false])
  })

  it('gives a second one back', () => {
    const ledger = new Ledger()
    const claim = ledger.answered(ledger.ask(), 2, 0)
    const solitude = new Solitude({
      ...{ clock: new VirtualClock(), ledger },
      neighbours: () => [],
      onOpen: () => undefined,
    })
    let back = 0
    const lonely = (token: string) =>
      ({ ...holding(token, claim), giveBack: () => back++ }) as unknown as Attempt // as: a stand-in
    ledger.hold(lonely('1'))
    solitude.enter(lonely('1'), () => undefined)
    solitude.enter(lonely('2'), () => undefined)
    expect(back).toBe(1)
  })
})
