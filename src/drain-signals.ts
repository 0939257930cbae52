/**
 * The process's signals, for all Millraces that drain on them: one listener for each signal, since Node
 * takes more than ten for a leak. It is gone when nobody is left who would drain: the next one ends the process.
 */
import type { DrainSignal } from './millrace-options.js'

const drains = new Map<string, Set<() => void>>()

export function drainOn(signal: DrainSignal, drain: () => void): void {
  const those = drains.get(signal) ?? new Set()
  if (those.size === 0) process.on(signal, drainAll)
  drains.set(signal, those.add(drain))
}

export function drainNoMore(signal: DrainSignal, drain: () => void): void {
  const those = drains.get(signal)
  if (those?.delete(drain) === true && those.size === 0) process.off(signal, drainAll)
}

function drainAll(signal: NodeJS.Signals): void {
  for (const drain of [...(drains.get(signal) ?? [])]) drain()
}
