/**
 * Claiming: decide, commit, and decide again where others were faster, so that the loser of a race
 * gets the next job in the same call.
 */
import type { ClaimAnswer, ClaimAsk } from '../../job/claim.js'
import { CLAIM_TRIES } from '../../job/defaults.js'
import { NEVER_SAID, effective } from '../../job/effective.js'
import type { Millis } from '../../job/job.js'
import { decideClaim, outlook } from '../../job/book/decide-claim.js'
import type { ClaimProposal } from '../../job/book/decide-claim.js'
import type { Ledger } from '../../job/book/ledger.js'
import { claimed, isFrugal } from '../../job/book/views.js'
import type { Medium } from './medium.js'

/** `mustLast`: an at-most-once job is among them, so the claim must be durable before it is told. */
export interface Claims {
  readonly answers: readonly ClaimAnswer[]
  readonly mustLast: boolean
}

interface Given {
  readonly slots: number[]
  readonly tokens: number[]
}

/** Until something was given, nothing is there, or others were too fast too often. */
export function claim(medium: Medium, node: string, asks: readonly ClaimAsk[]): Claims {
  if (asks.length === 0) return { answers: [], mustLast: false }
  const given = asks.map((): Given => ({ slots: [], tokens: [] }))
  let wanted = asks
  for (let tries = 0; tries < CLAIM_TRIES; tries++) {
    medium.refresh()
    const proposal = decideClaim(medium.book.ledger, node, wanted, medium.now())
    if (proposal.frame === null) break
    const tokens = commit(medium, proposal)
    if (tokens !== null) collect(proposal, tokens, given)
    wanted = asks.map((one, at) => remaining(one, given[at].slots.length))
    if (wanted.every((one) => one.limit === 0)) break
    if (tokens !== null && tokens.every((token) => token > 0)) break
  }
  const { ledger } = medium.book
  const now = medium.now()
  const answers = asks.map((one, at) => answer(ledger, one, given[at], now))
  const mustLast = answers.some(
    ({ jobs, settings }) => jobs.length > 0 && settings.delivery === 'at-most-once',
  )
  return { answers, mustLast }
}

/** What was picked and not given goes back into the pools, whatever happens. */
function commit(medium: Medium, proposal: ClaimProposal): Float64Array | null {
  if (proposal.frame === null) return null
  try {
    return medium.commit<'claim'>(proposal.frame)
  } finally {
    proposal.undo()
  }
}

function collect(proposal: ClaimProposal, tokens: Float64Array, given: readonly Given[]): void {
  let at = 0
  proposal.frame?.asks.forEach((part, index) => {
    for (const to = at + part.count; at < to; at++) {
      if (tokens[at] === 0) continue
      given[index].slots.push(proposal.slots[at])
      given[index].tokens.push(tokens[at])
    }
  })
}

/** What is left of an ask that was given some; whoever was given a lone job gets nothing beside. */
function remaining(ask: ClaimAsk, given: number): ClaimAsk {
  return given === 0 ? ask : { ...ask, limit: ask.limit - given, alone: false }
}

const UNSAID = effective(NEVER_SAID)

function answer(ledger: Ledger, ask: ClaimAsk, given: Given, now: Millis): ClaimAnswer {
  const settings = ledger.findQueue(ask.queue)?.settings ?? UNSAID
  const { nextIn, aloneDue } = outlook(ledger, ask, now)
  return {
    jobs: given.slots.length === 0 ? [] : claimed(ledger, given.slots, given.tokens, now),
    nextIn,
    frugal: isFrugal(settings),
    aloneDue: !ask.alone && aloneDue,
    settings,
  }
}
