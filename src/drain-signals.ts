/**
 * The process's signals, for all Millraces that drain on them: one listener for each signal, since Node
 * takes more than ten for a leak. It is gone when nobody is left who would drain: the next one ends the process.
 */
import type { DrainSignal } from './millrace-options.js'

interface Listening {
  readonly drains: Set<() => void>
  readonly onSignal: () => void
}

const listening = new Map<DrainSignal, Listening>()

export function drainOn(signal: DrainSignal, drain: () => void): void {
  const known = listening.get(signal)
  if (known !== undefined) return void known.drains.add(drain)
  const drains = new Set([drain])
  const onSignal = (): void => {
    for (const one of [...drains]) one()
  }
  listening.set(signal, { drains, onSignal })
  process.on(signal, onSignal)
}

export function drainNoMore(signal: DrainSignal, drain: () => void): void {
  const known = listening.get(signal)
  known?.drains.delete(drain)
  if (known?.drains.size !== 0) return
  listening.delete(signal)
  process.off(signal, known.onSignal)
}
