/**
 * What a worker and its isolates say to each other: plain data that can be cloned. Promises that
 * whatever else comes along the same line, as from a user's own `process.send`, is not taken for
 * one of ours. Who says what when is drawn in `isolate.ts` (this side) and `program.ts` (the other).
 */
import { attemptError } from '../../engine/attempt-error.js'
import type { Asked } from '../../engine/engine.js'
import type { Claimed } from '../../job/claim.js'
import type { Fault } from '../../job/errors.js'
import type { AttemptError, ParentRow, Step } from '../../job/job.js'
import type { Settings } from '../../job/settings.js'
import type { Noted, Throttle } from '../../job/verdict.js'

/** A default export that is one `Handler`, or an array of `task.handle(…)`. */
export type Shape = 'handler' | 'tasks'

/** A job as it is handed over; its payload is what the handler shall get, encoded. */
export interface Handed {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly worker: string
}

/** From the worker. `run` is the number of a run, so that what comes late finds nobody. */
export type Order =
  | { readonly order: 'load'; readonly module: string; readonly shape: Shape }
  | { readonly order: 'run'; readonly run: number; readonly job: Handed }
  | { readonly order: 'cancel'; readonly run: number; readonly reason: Fault }
  | ({ readonly order: 'kept'; readonly run: number; readonly call: number } & Kept)
  | ({ readonly order: 'parents'; readonly run: number; readonly call: number } & Parents)
  | { readonly order: 'end' }

/** What became of a step: kept, or not since the attempt is over, or what the store said. */
export type Kept = { readonly noted: Noted } | { readonly error: ErrorText }

/** What the job comes after, or what the store said. */
export type Parents = { readonly rows: readonly ParentRow[] | null } | { readonly error: ErrorText }

/** What a handler told on its way since it was last heard; of progress the last word. */
export interface Notes {
  readonly progress: number | null
  readonly log: readonly string[]
  readonly throttles?: readonly Throttle[]
}

/** From the isolate. */
export type Told =
  | { readonly told: 'ready'; readonly tasks: readonly string[] }
  | { readonly told: 'unready'; readonly error: ErrorText }
  | { readonly told: 'notes'; readonly run: number; readonly notes: Notes }
  | {
      readonly told: 'step'
      readonly run: number
      /** Of this run, so that the answer finds who waits for it. */
      readonly call: number
      readonly step: Step
    }
  | { readonly told: 'parents'; readonly run: number; readonly call: number }
  | { readonly told: 'answer'; readonly run: number; readonly answer: Answer }
  /** Nobody caught it; most often the isolate's end follows. */
  | { readonly told: 'uncaught'; readonly error: ErrorText }

const WORDS: readonly unknown[] = [
  'ready',
  'unready',
  'notes',
  'step',
  'parents',
  'answer',
  'uncaught',
]

/** What was asked of a job, with its error as text. */
export type Answer =
  Exclude<Asked, { readonly kind: 'fail' }> | { readonly kind: 'fail'; readonly error: ErrorText }

/** An error in at most `ERROR_BYTES`, with the code by which programs tell it apart. */
export interface ErrorText extends AttemptError {
  readonly code?: string | number
}

/** A message as one of ours, or null. */
export function readTold(message: unknown): Told | null {
  if (typeof message !== 'object' || message === null || !('told' in message)) return null
  return WORDS.includes(message.told) ? (message as Told) : null // as: only `program.ts` uses these words
}

export function toAnswer(asked: Asked): Answer {
  return asked.kind === 'fail' ? { kind: 'fail', error: toErrorText(asked.error) } : asked
}

export function fromAnswer(answer: Answer): Asked {
  return answer.kind === 'fail' ? { kind: 'fail', error: fromErrorText(answer.error) } : answer
}

export function toErrorText(thrown: unknown): ErrorText {
  const text = attemptError(thrown)
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' || typeof code === 'number' ? { ...text, code } : text
}

/** An error that reads as the one over there did. */
export function fromErrorText({ name, message, stack, code }: ErrorText): Error {
  const error = new Error(message)
  error.name = name
  error.stack = stack ?? ''
  return code === undefined ? error : Object.assign(error, { code })
}
