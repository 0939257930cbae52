/**
 * What code and operators may say of a queue, and the layer that is stored of it. Promises that a
 * layer holds only what was said, checked, in milliseconds, and without a trace of functions and
 * schemas, which live in the process. Laying layers over each other is left to `effective.ts`.
 */
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { planBackoff } from './backoff.js'
import type { Backoff, BackoffFunction as AnyBackoffFunction } from './backoff.js'
import { invalid, name, onlyKnown, record, whole, word } from './check.js'
import { capOf, groupsOf, rateOf } from './declare-gates.js'
import type { GroupOptions, Rate } from './declare-gates.js'
import { ATTEMPTS_LIMIT, LOT_BYTES } from './defaults.js'
import { timeoutOf } from './options.js'
import { schemaOf } from './schema.js'
import type { Schema } from './schema.js'
import type { Kept, Limits, SettingsLayer } from './settings.js'
import type { JobData } from './view.js'

/** What is stored of a queue: plain data, with a revision. `Infinity` or `false` says "none". */
export interface QueueSettings {
  /** Runs in all, the first included; 0: never runs [20]. */
  readonly attempts?: number
  /** [exponential, 1s to 1h, × 2, jitter 0.1] */
  readonly backoff?: Backoff
  /** The signal aborts and the attempt fails ['60s']. */
  readonly timeout?: Duration | false
  /** 'at-most-once': taken means gone; one attempt, no snooze ['at-least-once']. */
  readonly delivery?: 'at-least-once' | 'at-most-once'
  /** 'blocking': within a group one at a time, in order; a failing job holds the rest ['fifo']. */
  readonly order?: 'fifo' | 'blocking'
  /** Runs at once, over all nodes [Infinity]. */
  readonly concurrency?: number
  /** Per group; the rotation between groups is always fair. */
  readonly groups?: GroupOptions
  /** Starts over all nodes [false]. */
  readonly rate?: Rate | false
  /** The queue that discarded jobs move to; a cycle is refused [false: they stay]. */
  readonly deadLetter?: string | false
  readonly limits?: {
    /** Encoded sizes [1_048_576, 1_048_576, 16_384]. */
    readonly payloadBytes?: number
    readonly resultBytes?: number
    readonly metaBytes?: number
    /** Jobs that are unfinished and not running [Infinity]. */
    readonly backlog?: number
    /** From when it was due; older jobs expire [Infinity]. */
    readonly age?: Duration
  }
  /** What stays of finished jobs [0, '1d', '7d']. */
  readonly keep?: {
    readonly completed?: Keep
    readonly cancelled?: Keep
    readonly discarded?: Keep
  }
  /** How long a receipt lives ['10m']. */
  readonly receipts?: Duration
}

/** A declaration: settings, and a backoff of yours, which lives in the workers' processes. */
export interface QueueOptions extends Omit<QueueSettings, 'backoff'> {
  readonly backoff?: Backoff | BackoffFunction
}

/**
 * Sync; `attempt` is the one that failed, from 1; capped at 1h; a throw means the cap; after a
 * crash, sweep uses the default.
 */
export type BackoffFunction = AnyBackoffFunction<JobData>

/** A time to stay, a number to stay, or both (whichever ends first); 0: none. */
export type Keep = Duration | { readonly count: number; readonly for?: Duration }

/** An operator's word over the declared one; `null` takes it back. */
export type Overrides = { readonly [K in keyof QueueSettings]?: QueueSettings[K] | null }

/** A declaration, checked: the layer to store, and what stays in this process. */
export interface Declaration {
  readonly layer: SettingsLayer
  readonly backoff: BackoffFunction | null
  readonly input: Schema | null
  readonly output: Schema | null
}

type LayerDraft = { -readonly [K in keyof SettingsLayer]: SettingsLayer[K] }

/** What an operator says, and what he takes back. */
export interface Overriding {
  readonly say: SettingsLayer
  readonly takeBack: readonly (keyof SettingsLayer)[]
}

type SettingName = keyof SettingsLayer
type Read<K extends SettingName> = (value: unknown, path: string, queue: string) => LayerDraft[K]

/** How each setting is checked. */
const READ: { readonly [K in SettingName]: Read<K> } = {
  attempts: (value, path) => whole(value, path, { least: 0, most: ATTEMPTS_LIMIT }),
  backoff: planBackoff,
  timeout: timeoutOf,
  delivery: (value, path) => word(value, ['at-least-once', 'at-most-once'], path),
  order: (value, path) => word(value, ['fifo', 'blocking'], path),
  concurrency: capOf,
  groups: groupsOf,
  rate: rateOf,
  deadLetter: deadLetterOf,
  limits: limitsOf,
  keep: keepOf,
  receipts: (value, path) => millis(value, path),
}
const SETTINGS = Object.keys(READ) as SettingName[] // as: READ has no other keys
const OPTIONS = [...SETTINGS, 'input', 'output']
const LIMITS = ['payloadBytes', 'resultBytes', 'metaBytes', 'backlog', 'age'] as const
const KEEPS = ['completed', 'cancelled', 'discarded'] as const
/** Sizes end where a lot ends: a larger payload could not be handed in. */
const SIZE = { least: 0, most: LOT_BYTES }

/** Checks what `mill.queue(name, options)` was given. Throws OPTION_INVALID, naming the option. */
export function declarationOf(queue: string, options: unknown): Declaration {
  const subject = `queue(${JSON.stringify(queue)})`
  const given = record(options, subject)
  onlyKnown(given, OPTIONS, subject)
  const layer: LayerDraft = {}
  for (const option of SETTINGS) {
    const value = given[option]
    if (value !== undefined) read(layer, option, value, queue, `${subject}.${option}`)
  }
  const backoff =
    typeof given.backoff === 'function'
      ? (given.backoff as BackoffFunction) // as: what it answers is checked at each call
      : null
  const input = schemaOf(given.input, `${subject}.input`)
  const output = schemaOf(given.output, `${subject}.output`)
  return { layer, backoff, input, output }
}

/** Checks what an operator sets: like a declaration, but plain data only, and what is null is taken back. */
export function overridesOf(queue: string, overrides: unknown): Overriding {
  const subject = `queue(${JSON.stringify(queue)}).set`
  const given = record(overrides, subject)
  onlyKnown(given, SETTINGS, subject)
  if (typeof given.backoff === 'function') {
    const remedy = 'only plain data is stored: declare the function with the queue'
    throw invalid(`${subject}.backoff`, 'a backoff of plain data', given.backoff, remedy)
  }
  const say: LayerDraft = {}
  const takeBack: (keyof SettingsLayer)[] = []
  for (const option of SETTINGS) {
    const value = given[option]
    if (value === null) takeBack.push(option)
    else if (value !== undefined) read(say, option, value, queue, `${subject}.${option}`)
  }
  return { say, takeBack }
}

function read<K extends SettingName>(
  layer: LayerDraft,
  option: K,
  value: unknown,
  queue: string,
  path: string,
): void {
  layer[option] = READ[option](value, path, queue)
}

function deadLetterOf(value: unknown, path: string, queue: string): string | null {
  if (value === false) return null
  const target = name(value, path)
  if (target !== queue) return target
  throw invalid(path, 'another queue', value, 'name another queue, or leave it out: then they stay')
}

function limitsOf(value: unknown, path: string): Partial<Limits> {
  const given = record(value, path)
  onlyKnown(given, LIMITS, path)
  const limits: { -readonly [K in keyof Limits]?: Limits[K] } = {}
  for (const limit of LIMITS) {
    if (given[limit] !== undefined) limits[limit] = limitOf(limit, given[limit], `${path}.${limit}`)
  }
  return limits
}

function limitOf(limit: keyof Limits, value: unknown, path: string): number {
  switch (limit) {
    case 'age':
      return millis(value, path, { infinite: true, least: 1 })
    case 'backlog':
      return whole(value, path, { least: 0, most: Number.MAX_SAFE_INTEGER, infinite: true })
    case 'payloadBytes':
    case 'resultBytes':
    case 'metaBytes':
      return whole(value, path, SIZE)
  }
}

function keepOf(value: unknown, path: string): NonNullable<SettingsLayer['keep']> {
  const given = record(value, path)
  onlyKnown(given, KEEPS, path)
  const keep: { -readonly [K in (typeof KEEPS)[number]]?: Kept } = {}
  for (const state of KEEPS) {
    if (given[state] !== undefined) keep[state] = keptOf(given[state], `${path}.${state}`)
  }
  return keep
}

function keptOf(value: unknown, path: string): Kept {
  if (typeof value !== 'object' || value === null) {
    const span = millis(value, path, { infinite: true })
    return { count: span === 0 ? 0 : Infinity, for: span }
  }
  const given = record(value, path)
  onlyKnown(given, ['count', 'for'], path)
  const most = Number.MAX_SAFE_INTEGER
  return {
    count: whole(given.count, `${path}.count`, { least: 0, most, infinite: true }),
    for: given.for === undefined ? Infinity : millis(given.for, `${path}.for`, { infinite: true }),
  }
}
