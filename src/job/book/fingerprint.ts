/**
 * What a book comes to, in eight hex digits: cheap enough to be taken while work goes on, for
 * replicas that check each other. It covers the queues, their settings and how many jobs are in
 * which state, the nodes and their signs of life, and every token that is held; so whatever made two
 * replicas answer differently soon shows in it. What tells two books apart to the last word, and is
 * slow, is `digest.ts`.
 */
import { crc32 } from 'node:zlib'
import { AVAILABLE, RETRYABLE, SCHEDULED } from './columns.js'
import type { Ledger } from './ledger.js'

/**
 * Depends on the frames alone: not on the order of maps, nor on how far this replica looked at its
 * timers, so jobs that wait for their time and jobs whose time has come count alike.
 */
export function fingerprint(ledger: Ledger): string {
  let sum = crc32(`${ledger.seqs} ${ledger.now} ${ledger.wallOffset}`)
  for (const { name, slots, version, stored, counts } of ledger.queues.values()) {
    const waits = counts[SCHEDULED] + counts[AVAILABLE] + counts[RETRYABLE]
    const others = counts.filter((_, state) => !WAITS.has(state)).join()
    sum += crc32(`queue ${name} ${slots} ${version} ${stored.revision} ${waits} ${others}`)
  }
  for (const [name, { beats, lastBeat, gone, holds }] of ledger.nodes) {
    sum += crc32(`node ${name} ${beats} ${lastBeat} ${gone} ${holds}`)
  }
  for (const { token } of ledger.holds.values()) sum += token % UNIT
  return (sum % UNIT).toString(16).padStart(8, '0')
}

const WAITS: ReadonlySet<number> = new Set([SCHEDULED, AVAILABLE, RETRYABLE])
const UNIT = 2 ** 32
