/**
 * What is said between the desk and the porter's thread. An error loses its code on the way between
 * threads, so it goes as words.
 */
import type { Errand } from './moves.js'

export type ToPorter =
  | { readonly number: number; readonly errands: readonly Errand[] }
  | { readonly number: number; readonly paths: readonly string[] }

/** `number`: of what was asked. */
export interface ToDesk {
  readonly number: number
  /** Of errands. */
  readonly done?: readonly number[]
  readonly error: ErrorWords | null
}

export interface ErrorWords {
  readonly message: string
  readonly code: string | null
}

export function wordsOf(error: unknown): ErrorWords {
  if (!(error instanceof Error)) return { message: String(error), code: null }
  return { message: error.message, code: 'code' in error ? String(error.code) : null }
}

export function errorOf({ message, code }: ErrorWords): Error {
  const error = new Error(message)
  return code === null ? error : Object.assign(error, { code })
}
