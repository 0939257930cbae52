// Every law on the simulated disk, with a log that is cleared all the time. And all that the book knows
// is in the files: after every call of every law, whoever reads the folder has the same jobs, holds, keys, rates, pauses, schedules and settings as its keeper.
import { describe, it, vi } from 'vitest'
import { describeStore } from 'millrace/testing'
import type { OpenMedium } from 'millrace/testing'
import type { Store } from '../../src/store.js'
import type { Room } from '../../src/stores/maildir/room.js'
import { openableMaildirStore } from '../../src/stores/maildir/maildir-store.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { virtualHost } from '../conformance/virtual-host.js'
import { sameAgain } from './read-again.js'

// Laws over ten thousands of jobs clear the log thousands of times.
vi.setConfig({ testTimeout: 120_000 })

/** More letters are not read in one turn of the loop, and others go on meanwhile. */
const MOST_JOBS = 120
/** After so many calls of one law only some are looked at; `MILLRACE_TORTURE=derived` looks at more. */
const isLong = process.env.MILLRACE_TORTURE === 'derived'
const CALLS = isLong ? 40 : 10
const EVERY = isLong ? 19 : 97
const CHANGING = new Set([
  ...['insert', 'exchange', 'note', 'enlist', 'leave', 'beat', 'sweep', 'control'],
  ...['declare', 'override', 'tick', 'plan'],
])

const openWatched: OpenMedium = async ({ clock, chance }) => {
  const disk = new SimDisk({ now: () => clock.wall() })
  const host = virtualHost(clock)
  const rooms = new Map<string, Promise<Room>>()
  let calls = 0
  const look = async (scope: string): Promise<void> => {
    if (++calls > CALLS && calls % EVERY > 0) return
    const room = await rooms.get(`/mail\0${scope}`)
    if (room === undefined || room.book.ledger.columns.used > MOST_JOBS) return
    await sameAgain(room.book.ledger, { disk: disk.fork(), host, root: '/mail', scope })
  }
  return {
    async connect({ scope = 'default' } = {}) {
      const parts = { disk, host, chance, rooms, pause: async () => undefined }
      const store = openableMaildirStore({ path: '/mail' }, { ...parts, segmentBytes: 8_192 })
      await store.open({ scope })
      return looking(store, () => look(scope))
    },
    hint: () => disk.hint(),
    destroy: async () => undefined,
  }
}

/** Looks after every call that was answered. */
function looking(store: Store, look: () => Promise<void>): Store {
  return new Proxy(store, {
    get(target, verb) {
      const value: unknown = Reflect.get(target, verb, target)
      if (typeof value !== 'function') return value
      const call = value.bind(target) as (...words: unknown[]) => unknown // as: a method stays one
      if (!CHANGING.has(String(verb))) return call
      return async (...words: unknown[]) => {
        const answer = await call(...words)
        await look()
        return answer
      }
    },
  })
}

describeStore({
  name: 'maildir, read again after every call',
  describe,
  it,
  open: openWatched,
  seeds: [5],
})
