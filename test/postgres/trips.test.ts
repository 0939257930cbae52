// What a claim behind gates and an end of its jobs cost on a server that is far away: trips there and back,
// counted, since each is what the network says. Nothing that is asked waits for what it does not follow from.
import type { Socket } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SettingsLayer } from '../../src/job/settings.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import {
  COMPLETE,
  newJob,
  QUEUE,
  settlement,
  unique,
  upTo,
} from '../../src/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../src/testing/conformance/played-node.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

/** It begins; looks, alone with its queue; reads jobs and counts; and writes what it took, with its end. */
const BEHIND_GATES = 4
/** Beginning, one statement, end: at once. */
const PLAIN = 1

const EVERY_GATE: SettingsLayer = {
  concurrency: 100,
  rate: { count: 1_000, per: 60_000, key: 'shared' },
  groups: { concurrency: 10, rate: { count: 100, per: 60_000 } },
}

function inGroups(n: number): string {
  return `group-${n % 15}`
}

/** Of a chunk, or of several. */
function textOf([chunks]: readonly unknown[]): string {
  if (!Array.isArray(chunks)) return String(chunks)
  return chunks.map(({ chunk }: { chunk: unknown }) => String(chunk)).join('')
}

describe.skipIf(server.isMissing)(`a far server${server.why}`, () => {
  let pool: pg.Pool
  let trips = 0
  let heard: (text: string) => void = () => undefined

  /** What is asked at once leaves at once, so each trip is one write to the socket. Nobody waits for a hint. */
  beforeAll(async () => {
    pool = new pg.Pool({ connectionString: await server.database(), pipeline: true })
    pool.on('connect', (client) => {
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection // as: pg's
      for (const name of ['_write', '_writev'] as const) {
        const write = stream[name]?.bind(stream) as (...words: unknown[]) => void
        Object.assign(stream, {
          [name]: (...words: unknown[]) => {
            const text = textOf(words)
            heard(text)
            if (!text.includes('pg_notify')) trips++
            write(...words)
          },
        })
      }
    })
  })
  afterAll(() => pool.end())

  it.each<[string, SettingsLayer, (n: number) => string, number]>([
    ['without a gate', {}, () => '', PLAIN],
    ['where groups take turns', {}, inGroups, BEHIND_GATES],
    ['behind a cap', { concurrency: 100 }, inGroups, BEHIND_GATES],
    ['behind a rate', { rate: { count: 1_000, per: 60_000, key: null } }, inGroups, BEHIND_GATES],
    ['in blocking order', { order: 'blocking' }, inGroups, BEHIND_GATES],
    ['behind every gate', EVERY_GATE, inGroups, BEHIND_GATES],
  ])(
    'gives jobs %s, and is told of their ends in one trip',
    async (name, declared, group, most) => {
      const store = openablePostgresStore({ pool }, {})
      await store.open({ scope: name })
      const node = await PlayedNode.enlist(store, cardOf('node'))
      await store.declare(QUEUE, declared)
      const jobs = upTo(30).map((n) => newJob(`job-${n}`, { group: group(n) }))
      await store.insert([{ jobs }])
      // It learns what the queue is like.
      const first = await node.claim({ limit: 5 })
      await node.settleAll(first.jobs.map((job) => settlement(job, COMPLETE)))
      const before = trips
      const { jobs: taken } = await node.claim({ limit: 5 })
      expect([taken.length, trips - before]).toEqual([5, most])
      const claimed = trips
      await node.settleAll(taken.map((job) => settlement(job, COMPLETE)))
      expect(trips - claimed).toBe(PLAIN)
      await store.close()
    },
  )

  it('is not told in vain first of ends that leave more than a result', async () => {
    const store = openablePostgresStore({ pool }, {})
    await store.open({ scope: 'with keys' })
    const node = await PlayedNode.enlist(store, cardOf('node'))
    await store.declare(QUEUE, { concurrency: 100 })
    await store.insert([
      { jobs: upTo(4).map((n) => newJob(`job-${n}`, { unique: unique(`${n}`) })) },
    ])
    const { jobs } = await node.claim({ limit: 2 })
    const asked: string[] = []
    heard = (text) => void asked.push(text)
    await node.settleAll(jobs.map((job) => settlement(job, COMPLETE)))
    heard = () => undefined
    expect(asked.join()).not.toMatch(/job\.complete\/nothing/)
    await store.close()
  })
})
