/**
 * A queue's settings as users read them: what was declared, what an operator said on top, and what
 * is in force, in the words in which options are given. Spans are in milliseconds.
 */
import type { Keep, QueueSettings } from '../job/declare.js'
import { effective } from '../job/effective.js'
import type { GroupOptions, Rate } from '../job/declare-gates.js'
import type { GroupSettings, Kept, RateSetting } from '../job/settings.js'
import type { SettingsLayer, StoredSettings } from '../job/settings.js'

/** The backoff `{ type: 'custom' }` stands for a function, which lives in the workers' processes. */
export interface SettingsView {
  readonly revision: number
  readonly declared: QueueSettings
  readonly overrides: QueueSettings
  readonly effective: QueueSettings
}

export function settingsView(stored: StoredSettings): SettingsView {
  return {
    revision: stored.revision,
    declared: shown(stored.declared),
    overrides: shown(stored.overrides),
    effective: shown(effective(stored)),
  }
}

function shown(layer: SettingsLayer): QueueSettings {
  const { attempts, backoff, timeout, delivery, deadLetter, limits, keep, receipts } = layer
  const { order, concurrency, groups, rate } = layer
  return {
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(timeout !== undefined && { timeout: timeout === Infinity ? false : timeout }),
    ...(delivery !== undefined && { delivery }),
    ...(order !== undefined && { order }),
    ...(concurrency !== undefined && { concurrency }),
    ...(groups !== undefined && { groups: groupsShown(groups) }),
    ...(rate !== undefined && { rate: rate === null ? false : rateShown(rate) }),
    ...(deadLetter !== undefined && { deadLetter: deadLetter ?? false }),
    ...(limits !== undefined && { limits }),
    ...(keep !== undefined && { keep: keepShown(keep) }),
    ...(receipts !== undefined && { receipts }),
  }
}

function groupsShown({ concurrency, rate, weights }: Partial<GroupSettings>): GroupOptions {
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(rate !== undefined && { rate: rate ?? false }),
    ...(weights !== undefined && { weights }),
  }
}

function rateShown({ count, per, key }: RateSetting): Rate {
  return key === null ? { count, per } : { count, per, key }
}

function keepShown(keep: NonNullable<SettingsLayer['keep']>): NonNullable<QueueSettings['keep']> {
  const { completed, cancelled, discarded } = keep
  return {
    ...(completed !== undefined && { completed: kept(completed) }),
    ...(cancelled !== undefined && { cancelled: kept(cancelled) }),
    ...(discarded !== undefined && { discarded: kept(discarded) }),
  }
}

/** In the shortest of the three ways in which it may be written. */
function kept({ count, for: span }: Kept): Keep {
  if (count === 0 || span === 0) return 0
  if (count === Infinity) return span
  return span === Infinity ? { count } : { count, for: span }
}
