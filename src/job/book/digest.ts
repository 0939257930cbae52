/**
 * What a book says, as text: two replicas that folded the same frames say the same, whatever slots
 * and numbers they use, however far they looked at their timers, and whether they began from a
 * snapshot. For tests, and for replicas that check each other.
 */
import { AVAILABLE, FREE, RETRYABLE, SCHEDULED } from './columns.js'
import type { ExtraView, Item, Paper, Past } from './extra.js'
import type { Ledger } from './ledger.js'
import type { Pause, QueueBook } from './queue.js'

/** One line per job, node, key, queue, gate, schedule and settlement that is remembered, sorted. */
export function digest(ledger: Ledger): string[] {
  const lines = [`book ${ledger.seqs} ${ledger.wallOffset}`]
  for (let slot = 0; slot < ledger.columns.used; slot++) {
    if (ledger.columns.state.get(slot) !== FREE) lines.push(jobLine(ledger, slot))
  }
  for (const [key, retired] of ledger.retired) {
    lines.push(`retired ${key} ${JSON.stringify(retired)}`)
  }
  for (const queue of ledger.queues.values()) {
    const { name, stored, version, keys, slots, schedules } = queue
    for (const schedule of schedules.values()) {
      lines.push(`schedule ${name} ${JSON.stringify(schedule)}`)
    }
    lines.push(`queue ${name} ${version} ${slots} ${JSON.stringify(stored)}`)
    lines.push(...gateLines(ledger, queue))
    for (const [key, hold] of keys) {
      // A period that is over may be forgotten sooner or later.
      if (hold.slot < 0 && hold.until <= ledger.now) continue
      lines.push(`key ${name} ${key} ${hold.id} ${hold.slot >= 0} ${hold.while} ${hold.until}`)
    }
  }
  for (const [name, node] of ledger.nodes) {
    lines.push(`node ${name} ${node.beats} ${node.lastBeat} ${node.gone} ${node.holds}`)
  }
  for (const [token, { verdict, settled }] of ledger.settled.entries()) {
    lines.push(`settled ${token} ${verdict} ${JSON.stringify(settled)}`)
  }
  lines.push(...rateLines(ledger))
  return lines.sort()
}

/** Pauses, and what is counted of each group. */
function gateLines(ledger: Ledger, queue: QueueBook): string[] {
  const { name, paused, pausedGroups, groups } = queue
  const lines = [...pausedGroups].map(([group, pause]) => `pause ${name} ${group} ${said(pause)}`)
  if (paused !== null) lines.push(`pause ${name} ${said(paused)}`)
  const { transit } = queue
  if (transit !== null) {
    lines.push(
      `transit ${name} ${JSON.stringify({ ...transit, groups: [...(transit.groups ?? [])] })}`,
    )
  }
  for (const [group, { jobs, running, held }] of groups.entries()) {
    lines.push(`group ${name} ${ledger.groupNames.text(group)} ${jobs} ${running} ${held}`)
  }
  return lines
}

function said({ since, by }: Pause): string {
  return `since ${since} by ${by}`
}

/** What is over may be forgotten sooner or later. */
function rateLines(ledger: Ledger): string[] {
  const { rates, now, paused } = ledger
  const lines = paused === null ? [] : [`pause all ${said(paused)}`]
  for (const [name, until] of rates.throttles) {
    if (until > now) lines.push(`throttle ${name} ${until}`)
  }
  for (const [name, window] of ledger.windows()) {
    for (const [at, count] of window.entries(now)) lines.push(`grants ${name} ${at} ${count}`)
  }
  return lines
}

function jobLine(ledger: Ledger, slot: number): string {
  const { columns } = ledger
  const state = columns.state.get(slot)
  const isWaiting = state === SCHEDULED || state === RETRYABLE || state === AVAILABLE
  const extra = ledger.findExtra(slot)
  return JSON.stringify([
    ledger.queueOf(slot).name,
    ledger.ids.text(slot),
    isWaiting ? 'waits' : state,
    ledger.taskNames.text(columns.task.get(slot)),
    ledger.groupNames.text(columns.group.get(slot)),
    ...[columns.priority, columns.crashes, columns.attempt].map((column) => column.get(slot)),
    ...[columns.maxAttempts.get(slot), ledger.roundOf(slot), ledger.dueOf(slot)],
    ...[columns.place, columns.seq, columns.insertedAt].map((one) => one.get(slot)),
    isWaiting ? 0 : columns.since.get(slot),
    ledger.holds.get(slot) ?? null,
    extra === undefined ? null : extraWords(ledger, extra),
    state < 8 ? ledger.shelf.jobs([slot])[0].payload.text : null,
  ])
}

function extraWords(ledger: Ledger, extra: ExtraView): unknown {
  const read = (paper: Paper | null): Item | null => paper && ledger.shelf.read(paper)
  const past = (one: Past): unknown => ({ ...one, paper: read(one.paper) })
  return {
    ...extra,
    payload: read(extra.payload),
    result: read(extra.result),
    history: extra.history.map(past),
    kin: extra.kin && {
      ...extra.kin,
      // Slots are each replica's own.
      parents: extra.kin.parents.map(({ slot, ...row }) => {
        return { ...row, result: read(row.result), at: slot < 0 ? null : ledger.ids.text(slot) }
      }),
    },
    origin: extra.origin && { ...extra.origin, history: extra.origin.history.map(past) },
    log: extra.log.map(({ paper }) => read(paper)),
    steps: extra.steps?.kept.map(({ name, paper }) => [name, read(paper)]) ?? null,
  }
}
