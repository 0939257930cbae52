/**
 * A random walk: a long sequence of everything that nodes, producers and operators may do, thrown
 * by seeded dice, on three handles at once. A failure names its seed and step and tells what went
 * before; the same seed walks the same way again.
 */
import { upTo } from './build.js'
import type { OpenMedium } from './medium.js'
import { Rig } from './rig.js'
import { Walker } from './walker.js'

/** How many lines before it a failure tells. */
const TOLD = 12

export interface WalkAsk {
  readonly open: OpenMedium
  readonly seed: number
  readonly steps: number
  /** The groups that jobs are thrown into ['', 'g' and 'h']. */
  readonly groups?: readonly string[]
}

const GROUPS = ['', 'g', 'h']

/** Walks to the end, and answers what was done and heard, a line for each. */
export async function walk({
  open,
  seed,
  steps,
  groups = GROUPS,
}: WalkAsk): Promise<readonly string[]> {
  const walked = async (rig: Rig): Promise<readonly string[]> => {
    const walker = await Walker.start(rig, seed, groups)
    for (const step of upTo(steps + 1)) {
      try {
        await (step < steps ? walker.step() : walker.finish())
      } catch (cause) {
        const what = cause instanceof Error ? cause.message : String(cause)
        const where = `seed ${seed}, step ${step} of ${steps}`
        throw new Error(`${where}: ${what}\n${walker.tale.last(TOLD)}`, { cause })
      }
    }
    return walker.tale.lines
  }
  return Rig.within(open, walked, { seed })
}
