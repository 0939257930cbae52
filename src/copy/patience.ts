/**
 * A store whose outages are lived through: every verb that a copy uses may be repeated, so what could
 * not be reached, or did not answer, is asked again for a while. Anything else that fails is told.
 * Workers who could not be heard meanwhile are not taken for dead: a sweep hears how long it was calm.
 * Behind each page others have the event loop: some stores answer without ever waiting for anything.
 */
import { MillraceError } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Clock } from '../time/clock.js'
import { sleep } from '../time/clock.js'
import type { End } from './ends.js'

/** The first wait; doubled each time up to the longest. */
const FIRST_WAIT = 100
const LONGEST_WAIT = 5_000
/** Some five minutes in all: a restart of a server, or its successor's taking over. */
const TRIES = 64

/** `tell`: called with what failed, before each wait. */
export function patient({ store, name }: End, clock: Clock, tell: (error: Error) => void): End {
  let isAway = false
  /** When the last outage was over, by `mono`; null: there was none. */
  let overAt: number | null = null
  const again = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (let tries = 1, wait = FIRST_WAIT; ; tries++, wait = Math.min(wait * 2, LONGEST_WAIT)) {
      try {
        const answer = await ask()
        if (isAway) overAt = clock.mono()
        isAway = false
        return answer
      } catch (error) {
        if (!isOutage(error) || tries === TRIES) throw error
        isAway = true
        tell(error)
        await sleep(clock, wait)
      }
    }
  }
  const calm = (): { readonly calm?: Millis } => {
    if (isAway) return { calm: 0 }
    return overAt === null ? {} : { calm: clock.mono() - overAt }
  }
  const verbs: End['store'] = {
    traits: store.traits,
    dump: async (ask) => {
      const page = await again(() => store.dump(ask))
      await new Promise<void>((resolve) => clock.soon(resolve))
      return page
    },
    load: (items) => again(() => store.load(items)),
    control: (command, cursor) => again(() => store.control(command, cursor)),
    get: (refs) => again(() => store.get(refs)),
    sweep: (ask) => again(() => store.sweep({ ...ask, ...calm() })),
    nodes: (page) => again(() => store.nodes(page)),
    queues: (page) => again(() => store.queues(page)),
    plan: (change) => again(() => store.plan(change)),
    enlist: (card) => again(() => store.enlist(card)),
    beat: (beat) => again(() => store.beat(beat)),
    leave: (node) => again(() => store.leave(node)),
  }
  return { name, store: verbs }
}

function isOutage(error: unknown): error is MillraceError {
  return MillraceError.is(error, 'STORE_UNREACHABLE') || MillraceError.is(error, 'OUTCOME_UNKNOWN')
}
