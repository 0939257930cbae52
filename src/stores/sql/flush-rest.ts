/**
 * Writing back what a sheet's book knows beside the jobs: keys, grants of rates, rests that handlers
 * asked for, nodes, schedules.
 */
import type { KeyHold } from '../../job/book/queue.js'
import type { Tx, Value } from './port.js'
import type { Queues } from './queues.js'
import type { KeyRow, Sheet } from './sheet.js'
import { toText } from './text.js'

export function flushRest(tx: Tx, queues: Queues, sheet: Sheet): void {
  flushKeys(tx, sheet)
  flushRates(tx, queues, sheet)
  flushNodes(tx, queues, sheet)
  flushSchedules(tx, queues, sheet)
}

function flushKeys(tx: Tx, sheet: Sheet): void {
  const before = new Map(sheet.keys.map((row) => [`${row.queue}/${row.key}`, row]))
  const put: Value[][] = []
  const remove: Value[][] = []
  const seen = new Set<string>()
  for (const id of sheet.queues.keys()) {
    for (const [key, hold] of sheet.queueBook(id).keys) {
      const name = `${id}/${key}`
      seen.add(name)
      const row = keyRow(sheet, id, key, hold)
      if (!isSameKey(before.get(name), row)) {
        put.push([id, key, row.seq, row.id, row.until, row.while === 'waiting' ? 1 : 0])
      }
    }
  }
  for (const [name, { queue, key }] of before) if (!seen.has(name)) remove.push([queue, key])
  tx.write('key.remove', [], remove)
  tx.write('key.put', [], put)
}

function keyRow(sheet: Sheet, queue: number, key: string, hold: KeyHold): KeyRow {
  const seq = hold.slot < 0 ? null : sheet.seqOf(hold.slot)
  return { queue, key, seq, id: hold.id, until: hold.until, while: hold.while }
}

function isSameKey(before: KeyRow | undefined, after: KeyRow): boolean {
  if (before === undefined) return false
  const { seq, id, until } = after
  return (
    before.seq === seq && before.id === id && before.until === until && before.while === after.while
  )
}

/** Grants are told by how much each window has grown. */
function flushRates(tx: Tx, queues: Queues, sheet: Sheet): void {
  const { throttles } = sheet.ledger.rates
  const grants: Value[][] = []
  for (const [name, window] of sheet.ledger.windows()) {
    const { at, sums, keep } = window.image()
    const more = (sums.at(-1) ?? 0) - (sheet.windows.get(name)?.sums.at(-1) ?? 0)
    const last = at.at(-1) ?? tx.now
    if (more > 0) grants.push([name, last, more, last + keep])
  }
  tx.write('grant.add', [queues.scope], grants)
  const rests: Value[][] = []
  for (const [name, until] of throttles) {
    if (sheet.throttles.get(name) !== until) rests.push([name, until])
  }
  tx.write('throttle.put', [queues.scope], rests)
}

function flushNodes(tx: Tx, queues: Queues, sheet: Sheet): void {
  const before = new Map(sheet.nodes.map((facts) => [facts.node, facts]))
  const put: Value[][] = []
  for (const [node, { card, startedAt, beats, lastBeat, overdue, gone }] of sheet.ledger.nodes) {
    const was = before.get(node)
    before.delete(node)
    if (sheet.lent.has(node)) continue
    const isSame =
      was?.card === card && was.beats === beats && was.gone === gone && was.lastBeat === lastBeat
    if (isSame) continue
    put.push([node, toText(card), startedAt, beats, lastBeat, toText([...overdue]), gone ? 1 : 0])
  }
  tx.write('node.put', [queues.scope], put)
  tx.write(
    'node.remove',
    [queues.scope],
    [...before.keys()].map((node) => [node]),
  )
}

function flushSchedules(tx: Tx, queues: Queues, sheet: Sheet): void {
  const before = new Map(sheet.schedules)
  const put: Value[][] = []
  for (const id of sheet.queues.keys()) {
    for (const [name, schedule] of sheet.queueBook(id).schedules) {
      const key = `${id}/${name}`
      const was = before.get(key)?.[1]
      before.delete(key)
      if (was === schedule) continue
      const { next, paused } = schedule
      const due = paused ? null : (next?.due ?? null)
      put.push([id, name, due, toText(schedule)])
    }
  }
  const remove = [...before.values()].map(([id, { name }]) => [id, name])
  tx.write('schedule.remove', [], remove)
  tx.write('schedule.put', [], put)
  const { retired } = sheet.ledger
  const now = [...retired].filter(([key, one]) => sheet.retired.get(key) !== one)
  const gone = [...sheet.retired.keys()].filter((key) => !retired.has(key))
  tx.write(
    'retired.remove',
    [queues.scope],
    gone.map((key) => retiredName(key)),
  )
  tx.write(
    'retired.put',
    [queues.scope],
    now.map(([key, one]) => [...retiredName(key), one.until, toText(one)]),
  )
}

/** Queue and name, as the book joins them. */
export function retiredKey(queue: string, name: string): string {
  return `${queue}\0${name}`
}

function retiredName(key: string): readonly [queue: string, name: string] {
  const at = key.indexOf('\0')
  return [key.slice(0, at), key.slice(at + 1)]
}
