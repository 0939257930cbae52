// From any store to any other: a life with something of everything over every pair, and random ones over
// half of them, on real folders, files and a real server.
import { describe, expect, it, vi } from 'vitest'
import type { OpenMedium } from 'millrace/testing'
import { copy, reckon } from '../../src/copy/copy.js'
import { storeSource } from '../../src/copy/ends.js'
import { comparable, dumpAll, liveRichly } from '../../src/testing/conformance/carrying.js'
import { copiedWalk } from '../../src/testing/conformance/copied-walk.js'
import { Rig } from '../../src/testing/conformance/rig.js'
import { openFolder } from '../conformance/file-medium.js'
import { openFolder as openMaildir } from '../conformance/maildir-medium.js'
import { openMemory } from '../conformance/memory-medium.js'
import { openPostgres } from '../conformance/postgres-medium.js'
import { openSqlite } from '../conformance/sqlite-medium.js'
import { sharedPostgres } from '../servers/postgres.js'

vi.setConfig({ testTimeout: 60_000 })

const server = await sharedPostgres()

type Kind = readonly [name: string, open: OpenMedium]
const KINDS: readonly Kind[] = [
  ['memory', openMemory],
  ['file', openFolder({ durability: 'process' })],
  ['maildir', openMaildir({ durability: 'process' })],
  ['sqlite', openSqlite],
]
const SERVED: Kind = ['postgres', openPostgres(() => server.database())]

/** Of what a life with something of everything leaves. */
const STATES = ['cancelled', 'completed', 'discarded', 'pending', 'receipt', 'waiting']

type Pair = readonly [title: string, from: OpenMedium, to: OpenMedium]
const pair = ([here, from]: Kind, [there, to]: Kind): Pair => [`${here} to ${there}`, from, to]
const PAIRS = KINDS.flatMap((from) => {
  return KINDS.filter((to) => to !== from).map((to) => pair(from, to))
})
const SERVED_PAIRS = KINDS.flatMap((kind) => [pair(kind, SERVED), pair(SERVED, kind)])

/** A ring, both ways round: each store takes over from two others, and is taken over by them. */
const RING = [openMemory, KINDS[2][1], SERVED[1], KINDS[1][1], openSqlite]
function isBeside([, from, to]: Pair): boolean {
  const steps = Math.abs(RING.indexOf(from) - RING.indexOf(to))
  return steps === 1 || steps === RING.length - 1
}

function carries(pairs: readonly Pair[]): void {
  it.each(pairs)('%s: all that is kept, and twice is once', async (_, from, to) => {
    await Rig.within(from, async (rig) => {
      await liveRichly(rig)
      const medium = await to({ clock: rig.clock, chance: rig.chance })
      const store = await medium.connect()
      try {
        const before = comparable(await dumpAll(rig.store))
        const source = storeSource({ store: rig.store, name: 'here' }, 'copy')
        const ask = {
          from: source,
          to: { store, name: 'there' },
          again: false,
          tell: () => undefined,
        }
        const report = await copy(ask)
        expect(report.stopped).toBe(null)
        expect(report.refused).toEqual([])
        const here = await reckon(rig.store, Object.keys(report.queues))
        for (const [queue, tally] of Object.entries(report.queues)) {
          expect([queue, tally]).toEqual([queue, here.of(queue)])
        }
        const states = new Set(Object.values(report.queues).flatMap((q) => Object.keys(q.states)))
        expect([...states].sort()).toEqual(STATES)
        expect(comparable(await dumpAll(store))).toEqual(before)
        const again = await copy(ask)
        expect([again.stopped, again.loaded]).toEqual([null, 0])
        expect(again.skipped).toEqual(Object.keys(report.queues))
      } finally {
        await store.close()
        await medium.destroy()
      }
    })
  })

  it.each(pairs.filter(isBeside))(
    '%s: a random life goes on there as here',
    async (_, from, to) => {
      await copiedWalk({ open: from, to, seed: 4_711, steps: 60 })
    },
  )
}

describe('a copy from one store to another', () => {
  carries(PAIRS)
})

describe.skipIf(server.isMissing)(`and on a server${server.why}`, () => {
  carries(SERVED_PAIRS)
})
