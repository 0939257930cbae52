/**
 * The conformance suite: the laws that every store keeps, run by whatever test runner is at hand.
 * A store passes or it is not a store; where one may differ, the difference is one of its traits.
 *
 *     import { describe, it } from 'vitest'            // or from 'node:test'
 *     describeStore({ name: 'mine', describe, it, open: async ({ clock, chance }) => medium })
 *
 * Each law opens a medium of its own and destroys it. Time is virtual. Assertions are Node's own.
 */
import { blocking } from './blocking.js'
import { caps } from './caps.js'
import { claiming } from './claim.js'
import { control } from './control.js'
import { copiedWalk } from './copied-walk.js'
import { copying } from './copy.js'
import { crashes } from './crashes.js'
import { deadLetters } from './dead-letters.js'
import { declared } from './declared.js'
import { explaining } from './explain.js'
import { expiry } from './expiry.js'
import { failedParents } from './failed-parents.js'
import { graphs } from './graphs.js'
import { groups } from './groups.js'
import { history } from './history.js'
import { inserting } from './insert.js'
import { leases } from './leases.js'
import { life } from './life.js'
import { limits } from './limits.js'
import { lostClaims } from './lost-claims.js'
import type { Group } from './law.js'
import type { OpenMedium } from './medium.js'
import { moving } from './moving.js'
import { ordering } from './order.js'
import { parents } from './parents.js'
import { pauses } from './pauses.js'
import { payloads } from './payload.js'
import { rates } from './rates.js'
import { receipts } from './receipts.js'
import { Rig } from './rig.js'
import { schedules } from './schedules.js'
import { sharing } from './sharing.js'
import { slots } from './slots.js'
import { steps } from './steps.js'
import { sweeping } from './sweep.js'
import { throttles } from './throttles.js'
import { tokens } from './tokens.js'
import { transactions } from './transactions.js'
import { uniqueKeys } from './unique.js'
import { verdicts } from './verdicts.js'
import { views } from './views.js'
import { walk } from './walk.js'

export interface StoreSuite {
  /** What the report calls the store. */
  readonly name: string
  /** The runner's own words, e.g. vitest's or node:test's. */
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
  /** A fresh medium for each law. */
  readonly open: OpenMedium
  /** Seeds of the random walks [three fixed ones]; a failing walk prints its own. */
  readonly seeds?: readonly number[]
  /** Steps of a random walk [400]. */
  readonly steps?: number
  /** How much of the laws that play for long or put jobs in crowds, where each step is dear [1: all]. */
  readonly part?: number
}

const GROUPS: readonly Group[] = [
  life,
  inserting,
  payloads,
  ordering,
  claiming,
  verdicts,
  tokens,
  uniqueKeys,
  limits,
  expiry,
  deadLetters,
  receipts,
  history,
  steps,
  leases,
  sweeping,
  lostClaims,
  crashes,
  declared,
  control,
  parents,
  failedParents,
  graphs,
  views,
  schedules,
  slots,
  sharing,
  groups,
  explaining,
  rates,
  caps,
  blocking,
  pauses,
  throttles,
  transactions,
  copying,
  moving,
]

const SEEDS = [1, 20_260_101, 987_654_321]
const STEPS = 400
const COPIED_STEPS = 60

export function describeStore(suite: StoreSuite): void {
  suite.describe(`the store ${suite.name}`, () => {
    for (const group of GROUPS) describeGroup(suite, group)
    suite.describe('random walks', () => {
      for (const seed of suite.seeds ?? SEEDS) {
        suite.it(`whatever is done, no job is lost, doubled or miscounted (seed ${seed})`, () =>
          walk({ open: suite.open, seed, steps: suite.steps ?? STEPS }).then(() => undefined),
        )
      }
      for (const seed of (suite.seeds ?? SEEDS).slice(0, 2)) {
        suite.it(`a life that is copied in its middle goes on there as here (seed ${seed})`, () =>
          copiedWalk({ open: suite.open, seed, steps: COPIED_STEPS }),
        )
      }
    })
  })
}

function describeGroup(suite: StoreSuite, group: Group): void {
  suite.describe(group.title, () => {
    for (const [name, law] of Object.entries(group.laws)) {
      suite.it(name, () => Rig.within(suite.open, law, { part: suite.part }))
    }
  })
}
