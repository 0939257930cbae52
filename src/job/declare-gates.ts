/**
 * What code and operators may say of a queue's gates: its order, its caps, its rates, the shares of
 * its groups. Checked where it is given; how the gates work is said in `docs/internals/gates.md`,
 * what they mean to users in `docs/flow-control.md`.
 */
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'
import { invalid, name, onlyKnown, record, whole } from './check.js'
import { RATE_SPAN_LEAST, WEIGHTS, WEIGHT_LEAST, WEIGHT_MOST } from './defaults.js'
import type { GroupSettings, RateSetting, SettingsLayer } from './settings.js'

/** At most `count` starts in every sliding window of `per`; queues with the same `key` share one budget. */
export interface Rate {
  /** From 1. */
  readonly count: number
  /** At least 10 ms. */
  readonly per: Duration
  /** Within the scope; each queue obeys its own `count` and `per` over the starts of all that name it. */
  readonly key?: string
}

/** Per group; the rotation between groups is always fair. */
export interface GroupOptions {
  /** Runs at once within one group [Infinity]. */
  readonly concurrency?: number
  readonly rate?: Omit<Rate, 'key'> | false
  /** Shares in the rotation [1 each]; `default` is for groups not named (so no group called that). */
  readonly weights?: Readonly<Record<string, number>>
}

const GROUPS = ['concurrency', 'rate', 'weights']

export function capOf(value: unknown, path: string): number {
  return whole(value, path, { least: 1, most: Number.MAX_SAFE_INTEGER, infinite: true })
}

export function rateOf(value: unknown, path: string): RateSetting | null {
  if (value === false) return null
  const given = record(value, path, '{ count, per, key? }, or false')
  onlyKnown(given, ['count', 'per', 'key'], path)
  const key = given.key === undefined ? null : name(given.key, `${path}.key`)
  return { ...windowOf(given, path), key }
}

export function groupsOf(value: unknown, path: string): NonNullable<SettingsLayer['groups']> {
  const given = record(value, path)
  onlyKnown(given, GROUPS, path)
  const { concurrency, rate, weights } = given
  return {
    ...(concurrency !== undefined && { concurrency: capOf(concurrency, `${path}.concurrency`) }),
    ...(rate !== undefined && { rate: groupRateOf(rate, `${path}.rate`) }),
    ...(weights !== undefined && { weights: weightsOf(weights, `${path}.weights`) }),
  }
}

function groupRateOf(value: unknown, path: string): GroupSettings['rate'] {
  if (value === false) return null
  const given = record(value, path, '{ count, per }, or false')
  onlyKnown(given, ['count', 'per'], path)
  return windowOf(given, path)
}

function windowOf(
  given: Readonly<Record<string, unknown>>,
  path: string,
): { readonly count: number; readonly per: number } {
  const count = whole(given.count, `${path}.count`, { least: 1, most: Number.MAX_SAFE_INTEGER })
  return { count, per: millis(given.per, `${path}.per`, { least: RATE_SPAN_LEAST }) }
}

function weightsOf(value: unknown, path: string): Readonly<Record<string, number>> {
  const given = record(value, path, 'an object of groups and their shares')
  const names = Object.keys(given)
  if (names.length > WEIGHTS) {
    const remedy = 'name the groups that differ; `default` is for all others'
    throw invalid(path, `at most ${WEIGHTS} groups`, names.length, remedy)
  }
  return Object.fromEntries(
    names.map((group) => [
      name(group, `${path}: a group`),
      weightOf(given[group], `${path}[${JSON.stringify(group)}]`),
    ]),
  )
}

function weightOf(value: unknown, path: string): number {
  if (typeof value === 'number' && value >= WEIGHT_LEAST && value <= WEIGHT_MOST) return value
  throw invalid(path, `a share from ${WEIGHT_LEAST} to ${WEIGHT_MOST}`, value)
}
