/**
 * One mover at a time between two stores. Two at once would open what the other has loaded and not
 * yet let depart, and a job would run on both sides. A mover is known as a node that holds nothing, in
 * the nearer of the two stores, where a dead process is told from a silent one at once. It is heard of
 * before each call that changes something; one that was silent for a lease looks around again first,
 * and ends when another has begun meanwhile.
 */
import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { BEAT, LEASE } from '../job/defaults.js'
import type { Clock } from '../time/clock.js'
import type { NodeRow } from '../store.js'
import { nodesOf } from './ends.js'
import type { Carrier, End } from './ends.js'

export interface AloneAsk {
  readonly from: End
  readonly to: End
  /** A name of our own. */
  readonly self: string
  readonly clock: Clock
}

/** Calls `work` with both ends, as long as nobody else moves between them, in either direction. */
export async function alone<T>(
  { from, to, self, clock }: AloneAsk,
  work: (from: End, to: End) => Promise<T>,
): Promise<T> {
  const { store } = nearer(from, to)
  const mark = `millrace move ${nameOfPair(from, to)} `
  const node = mark + self
  const card = { node, host: hostname(), pid: process.pid, lease: LEASE, workers: [] }
  let heard = -Infinity
  const lookAround = async (): Promise<void> => {
    const asked = clock.mono()
    await store.enlist(card)
    const others = (await nodesOf(store)).filter((other) => other.node.startsWith(mark))
    const alive = others.find((other) => other.node !== node && isAlive(other))
    if (alive !== undefined) throw new AnotherMover(alive)
    heard = asked
  }
  const beHeard = async (): Promise<void> => {
    const asked = clock.mono()
    if (asked - heard < BEAT) return
    if (asked - heard >= LEASE) return lookAround()
    const { gone } = await store.beat({ node, upTo: 0, open: [], overdue: [] })
    if (gone) return lookAround()
    heard = asked
  }
  try {
    await lookAround()
    const done = await work(watched(from, beHeard), watched(to, beHeard))
    await store.leave(node)
    return done
  } catch (error) {
    // The first error is what is told. Who could not leave counts as gone after his lease.
    await Promise.allSettled([store.leave(node)])
    throw error
  }
}

/** Somebody else moves between the two. */
export class AnotherMover extends Error {
  constructor({ host, pid, beatAgo }: NodeRow) {
    const seconds = Math.round(beatAgo / 1_000)
    const lease = LEASE / 1_000
    super(
      `another command moves between the two: process ${pid} on ${host}, heard of ${seconds} s ago. ` +
        `Stop it first; one that was killed counts as gone ${lease} s after it was heard of last`,
    )
  }
}

/** The end that both movers choose, whichever way they go: the one that sees who is dead. */
function nearer(a: End, b: End): End {
  const reach = ({ store }: End): number => (store.traits.reach === 'network' ? 1 : 0)
  if (reach(a) !== reach(b)) return reach(a) < reach(b) ? a : b
  return a.name < b.name ? a : b
}

function nameOfPair(a: End, b: End): string {
  const names = [a.name, b.name].sort().join('\n')
  return createHash('sha256').update(names).digest('hex').slice(0, 12)
}

function isAlive({ lost, beatAgo }: NodeRow): boolean {
  return !lost && beatAgo <= LEASE
}

/** Those of its calls that change something are made by whoever is alone. */
function watched({ name, store }: End, beHeard: () => Promise<void>): End {
  const first = async <T>(call: () => Promise<T>): Promise<T> => {
    await beHeard()
    return call()
  }
  const verbs: Carrier = {
    traits: store.traits,
    dump: (ask) => store.dump(ask),
    load: (items) => first(() => store.load(items)),
    control: (command, cursor) => first(() => store.control(command, cursor)),
    get: (refs) => store.get(refs),
    sweep: (ask) => store.sweep(ask),
    nodes: (page) => store.nodes(page),
    queues: (page) => store.queues(page),
    plan: (change) => first(() => store.plan(change)),
    enlist: (card) => store.enlist(card),
    beat: (beat) => store.beat(beat),
    leave: (node) => store.leave(node),
  }
  return { name, store: verbs }
}
