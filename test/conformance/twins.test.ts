// The suite has teeth: of each broken twin of the memory store some law fails. And it runs on any
// runner that says `describe` and `it`.
import * as nodeTest from 'node:test'
import * as vitest from 'vitest'
import { describe, expect, it } from 'vitest'
import { describeStore } from 'millrace/testing'
import type { OpenMedium, StoreSuite } from 'millrace/testing'
import type { ClaimAnswer } from '../../src/job/claim.js'
import type { Inserted, NewJob } from '../../src/job/lot.js'
import type { PortableJob } from '../../src/job/portable.js'
import type { Store } from '../../src/store.js'
import { openMemory } from './memory-medium.js'

/** Both runners fit, as the compiler sees. */
const RUNNERS: readonly Pick<StoreSuite, 'describe' | 'it'>[] = [vitest, nodeTest]

interface Law {
  readonly name: string
  readonly run: () => Promise<void>
}

/** The suite's laws for a medium, not run yet. */
function lawsOf(open: OpenMedium): readonly Law[] {
  const laws: Law[] = []
  const path: string[] = []
  describeStore({
    name: 'twin',
    open,
    steps: 200,
    describe: (name, body) => {
      path.push(name)
      body()
      path.pop()
    },
    it: (name, run) => laws.push({ name: [...path.slice(1), name].join(' > '), run }),
  })
  return laws
}

/** The first law that fails, be it by an assertion or by a throw of the store. */
async function firstBroken(open: OpenMedium): Promise<string | null> {
  for (const law of lawsOf(open)) {
    const [ended] = await Promise.allSettled([law.run()])
    if (ended.status === 'rejected') return law.name
  }
  return null
}

type Twist = (store: Store) => Partial<Store>

/** Handles of the memory store with some verbs replaced. */
function twin(twist: Twist): OpenMedium {
  return async (ask) => {
    const medium = await openMemory(ask)
    return {
      async connect(words) {
        const store = await medium.connect(words)
        const twisted = twist(store)
        return new Proxy(store, {
          get(target, verb) {
            const own: unknown = Reflect.get(twisted, verb)
            const value: unknown = own ?? Reflect.get(target, verb, target)
            return typeof value === 'function' ? (value.bind(target) as unknown) : value // as: a method stays one
          },
        })
      },
      destroy: () => medium.destroy(),
    }
  }
}

/** The answers of an exchange, changed. */
function answering(change: (answer: ClaimAnswer, call: number) => ClaimAnswer): Twist {
  return (store) => {
    let calls = 0
    return {
      async exchange(ask) {
        const { settled, claimed } = await store.exchange(ask)
        return { settled, claimed: claimed.map((answer) => change(answer, ++calls)) }
      },
    }
  }
}

/** Jobs as they go in, changed. */
function inserting(change: Partial<NewJob>): Twist {
  return (store) => ({
    insert: (lots) =>
      store.insert(
        lots.map((lot) => ({ ...lot, jobs: lot.jobs.map((job) => ({ ...job, ...change })) })),
      ),
  })
}

const TWINS: Readonly<Record<string, Twist>> = {
  'loses one lot in ten and says that it took it': (store) => {
    let lots = 0
    return {
      async insert(asked) {
        if (++lots % 10 > 0) return store.insert(asked)
        return asked.map(({ jobs }) => jobs.map(({ id }) => ({ status: 'inserted', id })))
      },
    }
  },
  'takes what it should refuse in half': (store) => ({
    async insert(lots) {
      const singles = lots.map(({ jobs }) => jobs.map((job) => ({ jobs: [job] })))
      const answers: Inserted[][] = []
      for (const lot of singles) {
        answers.push((await store.insert(lot)).flatMap((answer) => answer ?? []))
      }
      return answers
    },
  }),
  'gives jobs in a wrong order': answering((answer) => ({
    ...answer,
    jobs: [...answer.jobs].reverse(),
  })),
  'gives a job and forgets to say so': answering((answer, call) =>
    call % 7 === 0 ? { ...answer, jobs: answer.jobs.slice(1) } : answer,
  ),
  'says that the next is due a little late': answering((answer) => ({
    ...answer,
    nextIn: answer.nextIn === null ? null : answer.nextIn + 1,
  })),
  'counts an attempt that was given back': (store) => ({
    exchange: (ask) =>
      store.exchange({
        ...ask,
        settle: ask.settle.map((one) =>
          one.verdict.kind === 'release' ? { ...one, verdict: { kind: 'retry', delay: 0 } } : one,
        ),
      }),
  }),
  'says done to a dead token': (store) => ({
    async exchange(ask) {
      const { settled, claimed } = await store.exchange(ask)
      const state = 'completed' as const
      const done = { status: 'done', state, deadLetter: null } as const
      return { settled: settled.map((one) => (one.status === 'lost' ? done : one)), claimed }
    },
  }),
  'spells payloads anew': (store) => ({
    insert: (lots) =>
      store.insert(
        lots.map((lot) => ({
          ...lot,
          jobs: lot.jobs.map((job) => {
            const text = JSON.stringify(JSON.parse(job.payload.text))
            return { ...job, payload: { ...job.payload, text } }
          }),
        })),
      ),
  }),
  'sweeps without a bound': (store) => ({
    sweep: (ask) => store.sweep({ ...ask, limit: 1_000 }),
  }),
  'forgets beats': (store) => ({
    beat: async () => ({ gone: (await store.check({ node: 'none', held: [] })).gone && false }),
  }),
  'frees what the living hold': (store) => ({
    async sweep(ask) {
      const { items } = await store.nodes({ limit: 100, cursor: null })
      for (const row of items) if (row.node !== ask.node) await store.leave(row.node)
      return store.sweep(ask)
    },
  }),
  'fires a slot for everyone who asks': (store) => ({
    async tick(ticks) {
      const ticked = await store.tick(ticks)
      const again = ticks.flatMap(({ run }, at) =>
        ticked[at].status === 'stale' && run ? [run] : [],
      )
      await store.insert(again.map(({ job }) => ({ jobs: [{ ...job, id: `${job.id}'` }] })))
      return ticked
    },
  }),
  'lets nobody wait for others': inserting({ after: [] }),
  'runs whoever has lost a parent': inserting({ onParentFailed: 'run' }),
  'keeps what fell with its parents to itself': (store) => ({
    async exchange(ask) {
      const { happened: _, ...answer } = await store.exchange(ask)
      return answer
    },
  }),
  'forgets to stop': (store) => ({ close: () => Promise.resolve(void store) }),
  'ends what runs when asked to cancel it': (store) => ({
    async control(command, cursor) {
      if (command.kind === 'cancel') {
        const { items } = await store.nodes({ limit: 100, cursor: null })
        for (const row of items) await store.leave(row.node)
      }
      return store.control(command, cursor)
    },
  }),
}

describe('the conformance suite', () => {
  it('fits the runners of vitest and of Node', () => {
    expect(RUNNERS).toHaveLength(2)
  })

  // The whole suite in one test.
  it('finds nothing wrong with a twin that changes nothing', { timeout: 60_000 }, async () => {
    expect(await firstBroken(twin(() => ({})))).toBeNull()
  })

  for (const [fault, twist] of Object.entries(TWINS)) {
    it(`catches a store that ${fault}`, async () => {
      expect(await firstBroken(twin(twist))).not.toBeNull()
    })
  }
})

describe('random walks alone', () => {
  const CAUGHT = [
    'loses one lot in ten and says that it took it',
    'gives a job and forgets to say so',
    'counts an attempt that was given back',
    'says done to a dead token',
    'frees what the living hold',
    'ends what runs when asked to cancel it',
    'lets nobody wait for others',
    'runs whoever has lost a parent',
    'keeps what fell with its parents to itself',
  ]
  for (const fault of CAUGHT) {
    it(`catch a store that ${fault}`, async () => {
      const walks = lawsOf(twin(TWINS[fault])).filter((law) => law.name.startsWith('random'))
      const ended = await Promise.allSettled(walks.map((law) => law.run()))
      expect(ended.map((one) => one.status)).toContain('rejected')
    })
  }
})

describe('the laws of copying alone', () => {
  type Change = (job: PortableJob) => Partial<PortableJob>
  const changing = (change: Change): Twist => {
    return (store) => ({
      load: (items) =>
        store.load(
          items.map((item) => (item.kind === 'job' ? { ...item, ...change(item) } : item)),
        ),
    })
  }
  const CARRIERS: Readonly<Record<string, Twist>> = {
    'forgets the steps that were done': changing(() => ({ steps: [], stepsTold: 0 })),
    'forgets who has a key': changing(({ key }) => ({ key: key && { ...key, holds: false } })),
    'takes a child without its parents': changing(() => ({ parents: [] })),
    'puts everything at its due': changing(({ due }) => ({ place: due })),
    'lets a retry be the first attempt': changing(() => ({ attempt: 0 })),
    'takes over what runs': changing(({ state }) => {
      return state === 'running' ? { state: 'available' } : {}
    }),
    'opens groups that failing jobs hold': changing(() => ({ holdsGroup: false })),
    'forgets what was granted': (store) => ({
      load: (items) => {
        const grants = items.map(({ kind }) => kind === 'grants')
        const rest = items.filter((_, at) => !grants[at])
        return store.load(rest).then((loaded) => {
          const left = loaded.values()
          return grants.map((is) => (is ? { status: 'loaded' } : (left.next().value ?? NONE)))
        })
      },
    }),
    'lets everything depart from anywhere': (store) => ({
      async control(command, cursor) {
        if (command.kind !== 'depart') return store.control(command, cursor)
        const { queue } = command
        const transit = { side: 'moving', with: 'there', groups: null } as const
        await store.control({ kind: 'transit', queue, transit }, null)
        return store.control(command, cursor)
      },
    }),
  }
  const NONE = { status: 'present' } as const

  for (const [fault, twist] of Object.entries(CARRIERS)) {
    it(`catch a store that ${fault}`, async () => {
      const laws = lawsOf(twin(twist)).filter(({ name }) => /^(copying|moving) >/.test(name))
      expect(laws.length).toBeGreaterThan(20)
      const ended = await Promise.allSettled(laws.map(({ run }) => run()))
      expect(ended.some(({ status }) => status === 'rejected')).toBe(true)
    })
  }
})
