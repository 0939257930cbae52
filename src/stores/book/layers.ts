/**
 * The layers of a queue's settings as a store changes them: an operator's word laid over those
 * before, and whether anything changed at all.
 */
import type { SettingsLayer } from '../../job/settings.js'
import type { OverrideChange } from '../../store.js'

/** Nested records are said field by field. */
export function overridden(overrides: SettingsLayer, change: OverrideChange): SettingsLayer {
  const said = new Map<string, unknown>(Object.entries(overrides))
  for (const name of change.takeBack) said.delete(name)
  for (const [name, word] of Object.entries(change.say)) {
    if (NESTED.has(name)) said.set(name, { ...Object(said.get(name)), ...Object(word) })
    else said.set(name, word)
  }
  return Object.fromEntries(said) // the names of a layer and of a change to it
}

const NESTED = new Set(['groups', 'limits', 'keep'])

/** Whatever the order of its words; JSON would not tell `Infinity` from `null`. */
export function sameLayer(a: SettingsLayer, b: SettingsLayer): boolean {
  return stable(a) === stable(b)
}

function stable(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${stable(one)}`).join(',')}}`
}
