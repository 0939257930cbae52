/** What items of frames say, and items that say what a store has kept: for shelves whose papers are items. */
import type { Item } from '../../job/book/extra.js'
import type { Encoded } from '../../job/codec.js'
import type { AttemptError, Step } from '../../job/job.js'

export function errorOn(item: Item): AttemptError | null {
  return 'ran' in item ? (item.ran?.error ?? null) : null
}

export function resultOn(item: Item): Encoded | null {
  return 'verdict' in item && item.verdict.kind === 'complete' ? item.verdict.result : null
}

export function logOn(item: Item): readonly string[] {
  return 'log' in item ? item.log : []
}

export function stepOn(item: Item): Encoded | null {
  return 'log' in item ? (item.step?.value ?? null) : null
}

/** That an operator's or a repeated enqueue's word put in the place of the first. */
export function payloadOn(item: Item): Encoded | null {
  return 'action' in item && item.action === 'update' ? item.payload : null
}

const NOBODY = { queue: '', id: '', token: 0 }

export function itemOfResult(result: Encoded): Item {
  return { ...NOBODY, verdict: { kind: 'complete', result }, ran: null }
}

export function itemOfLog(log: readonly string[]): Item {
  return { ...NOBODY, progress: null, log }
}

export function itemOfStep(step: Step): Item {
  return { ...NOBODY, progress: null, log: [], step }
}
