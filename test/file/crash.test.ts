// The power goes at the calls of every operation, and everything that may be left of it is opened:
// nothing that was answered is lost, nothing is torn or in two places, and all who open it agree.
import { afterAll, describe, it } from 'vitest'
import type { CrashProfile } from '../../src/testing/sim-disk.js'
import { crashEverywhere } from './crash-points.js'
import type { Counted } from './crash-points.js'
import { STORIES } from './stories.js'

/** `npm run torture -- crash` looks at many more. */
const isLong = process.env.MILLRACE_TORTURE === 'crash'
const states = Number(process.env.MILLRACE_TORTURE_STATES ?? 2_000)
const LONG = { states, nestedEvery: 7, nestedStates: Math.ceil(states / 50) }
const SHORT = { states: 2, nestedEvery: 100, nestedStates: 2 }
/** Of the calls every so many is the last, with each profile another; in the long form all. */
const STRIDE = isLong ? 1 : Number(process.env.MILLRACE_TORTURE_STRIDE ?? 3)

const A_DAY = 24 * 3_600_000

const PROFILES: readonly CrashProfile[] = ['kill', 'any-subset', 'ext4-ordered']
const SIZES = { 'in one segment': 1024 * 1024, 'rolling all the time': 1_500 }

describe('a store whose power goes at any call', () => {
  const total: Counted = { points: 0, states: 0, nested: 0 }
  afterAll(() => {
    const { points, states, nested } = total
    console.log(
      `crash points ${points}, states recovered ${states}, and of crashed recoveries ${nested}`,
    )
  })

  for (const [name, story] of Object.entries(STORIES)) {
    for (const [size, segmentBytes] of Object.entries(SIZES)) {
      it.each(PROFILES)(
        `keeps its promises: ${name}, ${size} (%s)`,
        { timeout: STRIDE === 1 ? A_DAY : 240_000 },
        async (profile) => {
          const counted = await crashEverywhere({
            ...{ story, profile, segmentBytes, every: STRIDE },
            from: 1 + Math.floor((PROFILES.indexOf(profile) * STRIDE) / PROFILES.length),
            ...(isLong ? LONG : SHORT),
          })
          total.points += counted.points
          total.states += counted.states
          total.nested += counted.nested
        },
      )
    }
  }
})
