// What the processes under the torture of gates wrote down, as the history that the judge reads,
// and whether every job that was acknowledged came to its end.
import { existsSync } from 'node:fs'
import { readLedger } from './ledger.mjs'

/** Milliseconds from `zero` on, to the nanosecond. */
export const momentAfter = (zero, at) => Number(at - zero) / 1e6

/** The runs that workers wrote down. One that a kill ended is over at the kill. */
export function readRuns(workers, zero) {
  const runs = []
  const troubles = {}
  const faults = []
  for (const worker of workers) {
    const killed = worker.killedAt === null ? null : momentAfter(zero, worker.killedAt)
    const mine = new Map()
    for (const [what, id, attempt, at, ...words] of linesOf(worker)) {
      const key = `${id} ${attempt}`
      if (what === 'trouble') {
        troubles[id] = (troubles[id] ?? 0) + 1
      } else if (what === 'start') {
        const [queue, group, place, wall] = words
        if (mine.has(key)) faults.push(`${id} began attempt ${attempt} twice in ${worker.name}`)
        const from = momentAfter(zero, BigInt(at))
        const open =
          killed === null
            ? { to: Infinity, end: 'unknown' }
            : { to: Math.max(from, killed), end: 'killed' } // the signal needs a moment to arrive
        const run = { queue, group, id, place: Number(place), attempt: Number(attempt), from }
        const more = { wall: Number(wall), isWorkerKilled: killed !== null }
        mine.set(key, { ...run, ...open, ...more })
      } else {
        Object.assign(mine.get(key), { to: momentAfter(zero, BigInt(at)), end: words[0] })
      }
    }
    runs.push(...mine.values())
  }
  for (const { id, end } of runs) if (end === 'unknown') faults.push(`${id} began and never ended`)
  return { runs, troubles, faults }
}

/** The jobs that came after others, and those that these came after, in the order of their births. */
export function readMembers(producer) {
  return linesOf(producer).flatMap(([, id, , , fate, policy, ...parents]) =>
    policy === undefined ? [] : [{ id, parents, policy, isDoomed: fate === 'doomed' }],
  )
}

/** `discarded`: the ids that the store tells at the end; `fallen`: those that must be, with a parent. */
export function reckonJobs({ producer, runs, discarded, fallen }) {
  const done = new Set(runs.filter(({ end }) => end === 'done').map(({ id }) => id))
  const asked = new Set()
  const faults = []
  const counts = { acknowledged: 0, completed: 0, discarded: discarded.size, lost: 0 }
  for (const [, id, queue, place, fate] of linesOf(producer)) {
    asked.add(id)
    counts.acknowledged++
    if (done.has(id)) counts.completed++
    if (done.has(id) === discarded.has(id)) {
      if (!done.has(id)) counts.lost++
      const what = done.has(id) ? 'was done, and discarded' : 'was neither done nor discarded'
      faults.push(`${queue} ${place} (${id}) ${what}`)
    } else if (discarded.has(id) !== (fate === 'doomed' || fallen.has(id))) {
      faults.push(
        `${queue} ${place} (${id}) was ${fate}, and ${done.has(id) ? 'done' : 'discarded'}`,
      )
    }
  }
  const strangers = new Set(
    [...runs.map(({ id }) => id), ...discarded].filter((id) => !asked.has(id)),
  )
  for (const id of strangers) faults.push(`${id} ran or was discarded, and nobody asked for it`)
  return { counts, faults }
}

/** Who was killed before its first line has none. */
function linesOf({ ledger }) {
  return existsSync(ledger) ? readLedger(ledger) : []
}
