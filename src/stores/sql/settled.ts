/**
 * What was settled lately, so that a repeat of a settlement whose answer was lost is answered as the
 * first time: one row for each batch, found by the range of its tokens. Plain completions, which are
 * nearly all, are listed by their tokens alone.
 */
import type { Remembered } from '../../job/book/settled.js'
import { fromText, toText } from './text.js'

interface Body {
  /** Tokens of plain completions. */
  readonly plain: readonly number[]
  readonly rest: readonly (readonly [number, Remembered])[]
}

const PLAINLY: Remembered = {
  verdict: 'complete',
  settled: { status: 'done', state: 'completed', deadLetter: null },
}

/** The row of a batch: its lowest and highest token, and its body. */
export function settledRow(
  plain: readonly number[],
  rest: readonly (readonly [number, Remembered])[],
): readonly [low: number, high: number, body: string] {
  let low = Infinity
  let high = 0
  for (const token of [...plain, ...rest.map(([one]) => one)]) {
    if (token < low) low = token
    if (token > high) high = token
  }
  return [low, high, toText({ plain, rest } satisfies Body)]
}

/** By token. */
export function readSettled(body: string): ReadonlyMap<number, Remembered> {
  const { plain, rest } = fromText<Body>(body)
  return new Map([...plain.map((token) => [token, PLAINLY] as const), ...rest])
}
