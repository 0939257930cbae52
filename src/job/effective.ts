/**
 * The settings in force. What a queue has by default lies here, and how the layers of `settings.ts`
 * are laid over it: default < declared < the operator's override. Promises that every part of
 * Millrace (a store's claim, sweep, the engine, a face) reads the same words from the same layers.
 * Checking what users wrote is left to `declare.ts`; this file trusts the layers.
 */
import { DEFAULT_BACKOFF } from './backoff.js'
import {
  ATTEMPTS,
  KEEP_CANCELLED,
  KEEP_COMPLETED,
  KEEP_DISCARDED,
  META_BYTES,
  PAYLOAD_BYTES,
  RECEIPTS,
  RESULT_BYTES,
  TIMEOUT,
} from './defaults.js'
import type { Kept, Limits, Settings, SettingsLayer, StoredSettings } from './settings.js'

/** At most so much for so long. */
const kept = (count: number, span: number): Kept => ({ count, for: span })

const DEFAULT_LIMITS: Limits = {
  payloadBytes: PAYLOAD_BYTES,
  resultBytes: RESULT_BYTES,
  metaBytes: META_BYTES,
  backlog: Infinity,
  age: Infinity,
}

/** What a queue has of which nothing was ever said. */
export const DEFAULT_SETTINGS: Settings = {
  attempts: ATTEMPTS,
  backoff: DEFAULT_BACKOFF,
  timeout: TIMEOUT,
  delivery: 'at-least-once',
  order: 'fifo',
  concurrency: Infinity,
  groups: { concurrency: Infinity, rate: null, weights: {} },
  rate: null,
  deadLetter: null,
  limits: DEFAULT_LIMITS,
  keep: {
    completed: kept(0, KEEP_COMPLETED),
    cancelled: kept(Infinity, KEEP_CANCELLED),
    discarded: kept(Infinity, KEEP_DISCARDED),
  },
  receipts: RECEIPTS,
}

/** The layers of a queue of which nothing was ever said. */
export const NEVER_SAID: StoredSettings = { revision: 0, declared: {}, overrides: {} }

/** Stored settings are readonly, so an object that was read once need not be layered again. */
const known = new WeakMap<StoredSettings, Settings>()

/** The settings in force: defaults, over them what was declared, on top the operator's word. */
export function effective(stored: StoredSettings): Settings {
  const before = known.get(stored)
  if (before !== undefined) return before
  const settings = oneRun(over(over(DEFAULT_SETTINGS, stored.declared), stored.overrides))
  known.set(stored, settings)
  return settings
}

/** One layer over what lies below it; nested records field by field. */
function over(below: Settings, layer: SettingsLayer): Settings {
  return {
    ...below,
    ...layer,
    groups: { ...below.groups, ...layer.groups },
    limits: { ...below.limits, ...layer.limits },
    keep: { ...below.keep, ...layer.keep },
  }
}

/** At-most-once is one attempt, whatever a layer says of attempts. */
function oneRun(settings: Settings): Settings {
  if (settings.delivery === 'at-least-once' || settings.attempts <= 1) return settings
  return { ...settings, attempts: 1 }
}
