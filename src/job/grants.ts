/** What a rate has granted, made coarse enough to be carried: never too few, seldom too many. */
import type { Instant, Millis } from './job.js'

/** At most so many moments are carried of one rate. */
const MOMENTS = 1000

/**
 * Moments within the same thousandth of the span become one, the latest of them; so whoever counts
 * them counts each for as long as it counted before, or up to a thousandth longer.
 */
export function coarse(
  moments: readonly (readonly [at: Instant, count: number])[],
  keep: Millis,
): readonly (readonly [at: Instant, count: number])[] {
  if (moments.length <= MOMENTS) return moments
  const first = moments[0][0]
  const steps = new Map<number, readonly [Instant, number]>()
  for (const [at, count] of moments) {
    const step = Math.floor(((at - first) / keep) * MOMENTS)
    steps.set(step, [at, (steps.get(step)?.[1] ?? 0) + count])
  }
  return [...steps.values()]
}
