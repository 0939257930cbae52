/**
 * Applying verdicts and notes: fenced by the token. A dead token changes nothing; a repeat of a
 * settlement that took effect is answered as the first time, for as long as it is remembered.
 */
import { bringDown } from './cascade.js'
import type { Happening } from '../job.js'
import { LOG_LINES } from '../defaults.js'
import type { Noted, Settled } from '../verdict.js'
import type { NoteFrame, SettleFrame, SettleItem } from './frame.js'
import type { Extra, Filing, Paper } from './extra.js'
import { throttle } from './gates.js'
import type { Ledger } from './ledger.js'
import { cancel, complete, discard, giveBack, isKept, record, retry } from './outcome.js'

export interface SettledJobs {
  readonly settled: readonly Settled[]
  /** What fell because a parent of it failed. */
  readonly happened: readonly Happening[]
}

export function applySettle(ledger: Ledger, frame: SettleFrame, filing: Filing): SettledJobs {
  const settled = frame.items.map((item, at) => settleOne(ledger, item, filing, at))
  return { settled, happened: bringDown(ledger) }
}

const LOST: Settled = { status: 'lost' }

function settleOne(ledger: Ledger, item: SettleItem, filing: Filing, at: number): Settled {
  const slot = ledger.find(item)
  if (slot < 0 || ledger.holds.get(slot)?.token !== item.token) {
    const before = ledger.settled.get(item.token)
    return before?.verdict === item.verdict.kind ? before.settled : LOST
  }
  const verdict = item.verdict.kind
  // Who gives the attempt back has not shown that the job is harmless.
  if (verdict !== 'release' && verdict !== 'snooze') ledger.columns.crashes.set(slot, 0)
  const settled = applyVerdict(ledger, slot, item, filing, at)
  ledger.settled.set(item.token, { verdict, settled })
  return settled
}

function applyVerdict(
  ledger: Ledger,
  slot: number,
  item: SettleItem,
  filing: Filing,
  at: number,
): Settled {
  const verdict = item.verdict
  if (item.ran !== null && isRemembered(ledger, slot, item)) {
    const { outcome, duration, error } = item.ran
    const paper = error === null ? null : ledger.shelf.paper(filing, at)
    record(ledger, slot, { outcome, duration, error: null, paper })
  }
  switch (verdict.kind) {
    case 'complete':
      return complete(ledger, slot, verdict.result && ledger.shelf.paper(filing, at))
    case 'retry':
      return retry(ledger, slot, verdict.delay)
    case 'snooze':
      return giveBack(ledger, slot, verdict.delay)
    case 'release':
      return giveBack(ledger, slot)
    case 'cancel':
      return cancel(ledger, slot, verdict.reason)
    case 'discard':
      return discard(ledger, slot, verdict.reason, verdict.message, verdict.deadId)
  }
}

/** A job that completes and is not kept takes its history along. */
function isRemembered(ledger: Ledger, slot: number, item: SettleItem): boolean {
  return item.verdict.kind !== 'complete' || isKept(ledger.queueOf(slot).settings.keep.completed)
}

export function applyNote(ledger: Ledger, frame: NoteFrame, filing: Filing): Noted[] {
  return frame.items.map((item, at) => {
    const slot = ledger.find(item)
    if (slot < 0 || ledger.holds.get(slot)?.token !== item.token) return 'lost'
    if (item.progress !== null) ledger.extra(slot).progress = item.progress
    if (item.log.length > 0 || item.step !== undefined) {
      const paper = ledger.shelf.paper(filing, at)
      if (item.log.length > 0) keepLines(ledger.extra(slot), item.log.length, paper)
      if (item.step !== undefined) keepStep(ledger.extra(slot), item.step.name, paper)
    }
    for (const { what, delay } of item.throttles ?? []) throttle(ledger, slot, what, delay)
    return 'done'
  })
}

/** The last lines stay. */
function keepLines(extra: Extra, lines: number, paper: Paper): void {
  extra.log.push({ paper, lines })
  extra.lines += lines
  while (extra.lines - extra.log[0].lines >= LOG_LINES) {
    extra.lines -= extra.log[0].lines
    extra.log.shift()
  }
}

/** The first value counts: a note whose answer was lost may come again. */
function keepStep(extra: Extra, name: string, paper: Paper): void {
  extra.steps ??= { kept: [], told: 0 }
  const { kept } = extra.steps
  if (!kept.some((step) => step.name === name)) kept.push({ name, paper })
}
