/**
 * What was settled lately, so that a repeat of a settlement whose answer was lost is answered as the
 * first time: one row for each batch, found by the range of its tokens. Plain completions, which are
 * nearly all, are listed by their tokens alone, those that follow one another by the first and the last.
 */
import type { Remembered } from '../../job/book/settled.js'
import { fromText, toText } from './text.js'

type Run = readonly [first: number, last: number]

interface Body {
  /** Tokens of plain completions. */
  readonly plain: readonly (number | Run)[]
  readonly rest: readonly (readonly [number, Remembered])[]
  /** Of a completion that committed what a user wrote: nobody else is told that this was done. */
  readonly committed?: number
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
  return [low, high, toText({ plain: runsOf(plain), rest } satisfies Body)]
}

export function committedRow(token: number): readonly [low: number, high: number, body: string] {
  return [token, token, toText({ plain: [], rest: [], committed: token } satisfies Body)]
}

export function isCommittedRow(body: string, token: number): boolean {
  return fromText<Body>(body).committed === token
}

function runsOf(tokens: readonly number[]): readonly (number | Run)[] {
  const runs: [first: number, last: number][] = []
  for (const token of tokens.toSorted((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run?.[1] === token - 1) run[1] = token
    else runs.push([token, token])
  }
  return runs.map(([first, last]) => (first === last ? first : [first, last]))
}

/** By token. */
export function readSettled(body: string): ReadonlyMap<number, Remembered> {
  const { plain, rest } = fromText<Body>(body)
  const answers = new Map<number, Remembered>()
  for (const one of plain) {
    const [first, last] = typeof one === 'number' ? [one, one] : one
    for (let token = first; token <= last; token++) answers.set(token, PLAINLY)
  }
  for (const [token, remembered] of rest) answers.set(token, remembered)
  return answers
}
