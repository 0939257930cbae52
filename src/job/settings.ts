/**
 * What is kept of a queue: plain data in three layers. The defaults lie below, what the code
 * declared above them, what an operator said on top. A layer holds only what was said; all spans
 * are milliseconds, `Infinity` says "none".
 */
import type { Millis } from './job.js'

export interface Limits {
  readonly payloadBytes: number
  readonly resultBytes: number
  readonly metaBytes: number
  /** Jobs that are unfinished and not running. */
  readonly backlog: number
  /** From when it was due; older jobs expire. */
  readonly age: Millis
}

/** What stays of finished jobs: at most `count`, at most `for` long. */
export interface Kept {
  readonly count: number
  readonly for: Millis
}

export interface RateSetting {
  readonly count: number
  readonly per: Millis
  readonly key: string | null
}

export interface GroupSettings {
  readonly concurrency: number
  readonly rate: { readonly count: number; readonly per: Millis } | null
  readonly weights: Readonly<Record<string, number>>
}

/** A backoff as it is stored: complete, in milliseconds. */
export type BackoffPlan =
  | {
      readonly type: 'exponential'
      readonly min: Millis
      readonly max: Millis
      readonly factor: number
      readonly jitter: number
    }
  | { readonly type: 'linear'; readonly step: Millis; readonly max: Millis }
  | { readonly type: 'fixed'; readonly delay: Millis }
  | { readonly type: 'none' }
  /** A function that lives in the workers' processes. */
  | { readonly type: 'custom' }

/** A queue's settings, complete. */
export interface Settings {
  readonly attempts: number
  readonly backoff: BackoffPlan
  readonly timeout: Millis
  readonly delivery: 'at-least-once' | 'at-most-once'
  readonly order: 'fifo' | 'blocking'
  readonly concurrency: number
  readonly groups: GroupSettings
  readonly rate: RateSetting | null
  readonly deadLetter: string | null
  readonly limits: Limits
  readonly keep: {
    readonly completed: Kept
    readonly cancelled: Kept
    readonly discarded: Kept
  }
  readonly receipts: Millis
}

/** Groups may be closed. */
export function gatesGroups({ order, groups }: Settings): boolean {
  return order === 'blocking' || groups.concurrency !== Infinity || groups.rate !== null
}

/** Jobs may be closed, by the queue or by their groups: one that ends may open others. */
export function isGated(settings: Settings): boolean {
  const { concurrency, rate } = settings
  return gatesGroups(settings) || concurrency !== Infinity || rate !== null
}

/** One layer: only what was said. Nested records are layered field by field. */
export type SettingsLayer = {
  readonly [K in keyof Settings]?: K extends 'groups' | 'limits' | 'keep'
    ? Partial<Settings[K]>
    : Settings[K]
}

/** A queue's layers as they are stored. `revision` grows with every change, from 0: never said. */
export interface StoredSettings {
  readonly revision: number
  readonly declared: SettingsLayer
  readonly overrides: SettingsLayer
}
