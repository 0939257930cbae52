// The reckoning: what the processes wrote down, laid beside what was done to them. Promises that
// every violation of "at least once, and twice only for a reason" is told in a sentence.
//
// Runs of one job are put in order by attempt, which is the order of the claims. A run that follows
// another needs a reason: its forerunner failed by its own word, or its worker was killed before,
// or was stopped past its lease, or the store was away: killed, it forgets claims, and for longer than
// the short lease of the torture nobody can say that he lives. And nothing follows a run whose completion
// the store has answered. Tokens of one job in one store only grow.
import { existsSync } from 'node:fs'
import { readLedger } from './ledger.mjs'
import { LEASE } from './plan.mjs'

/** Lines that tell when. */
const TIMED = new Set(['start', 'done', 'failed', 'settled'])

/** `outages`: from when to when the store itself was away; with a `url` only that of several. */
export function reckon({ producers, workers, outages = [] }) {
  const asked = readProducers(producers)
  const { jobs, counts, faults } = readWorkers(workers, outages)
  const lost = [...asked.acknowledged].filter(([id]) => (jobs.get(id)?.done ?? 0) === 0)
  for (const [id, key] of lost) faults.push(`lost: ${id} (${key}) was acknowledged, never done`)
  faults.push(...strangers(jobs, asked), ...brokenLots(jobs, asked))
  const doubles = explain(jobs, outages, faults)
  return {
    asked: [...asked.lots.values()].reduce((sum, { size }) => sum + size, 0),
    acknowledged: asked.acknowledged.size,
    ...counts,
    kills: workers.filter(({ killedAt }) => killedAt !== null).length,
    producerKills: producers.filter(({ killedAt }) => killedAt !== null).length,
    outages: outages.length,
    stops: workers.reduce((sum, { stops }) => sum + stops.length, 0),
    ...doubles,
    lost: lost.length,
    faults,
  }
}

function readProducers(producers) {
  const lots = new Map()
  const acknowledged = new Map()
  for (const { ledger } of producers) {
    for (const [what, ...words] of existsSync(ledger) ? readLedger(ledger) : []) {
      const [first, second, third] = words
      if (what === 'asked') lots.set(`${first}.${second}`, { size: Number(third), keys: new Set() })
      else if (what === 'refused') lots.get(`${first}.${second}`).isRefused = true
      else acknowledged.set(first, second)
    }
  }
  return { lots, acknowledged }
}

function readWorkers(workers, outages) {
  const jobs = new Map()
  const counts = { starts: 0, completions: 0, settled: 0, failures: 0, troubles: 0 }
  const faults = []
  for (const worker of workers) {
    const mine = new Map()
    let since = 0n
    for (const [what, id, attempt, at, key, token] of readLedgerOf(worker)) {
      const run = mine.get(`${id} ${attempt}`)
      switch (what) {
        case 'start': {
          counts.starts++
          const begun = { id, key, attempt: Number(attempt), since, at: BigInt(at), token, worker }
          if (run !== undefined && !isAcrossOutage(run, begun, outages))
            faults.push(`${id} began attempt ${attempt} twice in one worker`)
          mine.set(`${id} ${attempt}`, begun)
          const job = jobs.get(id) ?? { key, runs: [], done: 0 }
          if (job.key !== key) faults.push(`${id} ran with payloads of ${job.key} and ${key}`)
          job.runs.push(begun)
          jobs.set(id, job)
          break
        }
        case 'done':
          counts.completions++
          run.doneAt = BigInt(at)
          jobs.get(id).done++
          break
        case 'failed':
          counts.failures++
          run.hasFailed = true
          break
        case 'settled':
          counts.settled++
          run.isSettled = true
          break
        case 'torn':
          faults.push(`${id} ran with a torn payload`)
          break
        case 'trouble':
          // Told by the store and lived through; what came of it is seen in the rest.
          counts.troubles++
          counts[id] = (counts[id] ?? 0) + 1
          break
        default:
          faults.push(`${worker.name} wrote a word that nobody knows: ${what}`)
      }
      if (TIMED.has(what)) since = BigInt(at)
    }
  }
  return { jobs, counts, faults }
}

/** A worker that was killed before its first line has none. */
function readLedgerOf({ ledger }) {
  return existsSync(ledger) ? readLedger(ledger) : []
}

/** What ran and nobody asked for, and what was asked for once and ran under two ids. */
function strangers(jobs, { lots }) {
  const faults = []
  for (const [id, { key }] of jobs) {
    const cut = key.lastIndexOf('.')
    const lot = lots.get(key.slice(0, cut))
    if (lot === undefined || Number(key.slice(cut + 1)) >= lot.size)
      faults.push(`unknown: ${id} (${key}) ran, and nobody asked for it`)
    else if (lot.keys.has(key)) faults.push(`${key} was asked for once and ran under two ids`)
    else lot.keys.add(key)
  }
  return faults
}

/** A lot is all or none, also one whose producer never heard of it. */
function brokenLots(jobs, { lots, acknowledged }) {
  const keys = new Set(acknowledged.values())
  const faults = [...jobs].flatMap(([id, { key }]) =>
    keys.has(key) && acknowledged.get(id) !== key ? [`${key} ran as ${id}, not as answered`] : [],
  )
  for (const [name, { size, keys, isRefused }] of lots) {
    if (isRefused && keys.size > 0) faults.push(`the lot ${name} was said to be refused, and ran`)
    if (keys.size !== 0 && keys.size !== size) {
      faults.push(`of the lot ${name} ${keys.size} of ${size} ran: a lot is all or none`)
    }
  }
  return faults
}

/** Counts the runs that followed another, by their reason; without one it is a fault. */
function explain(jobs, outages, faults) {
  const doubles = { byKill: 0, byStop: 0, byFailure: 0, byOutage: 0, unexplained: 0, late: 0 }
  for (const [id, { runs }] of jobs) {
    runs.sort((a, b) => a.attempt - b.attempt || (a.at < b.at ? -1 : 1))
    for (const [index, next] of runs.slice(1).entries()) {
      const before = runs[index]
      const isHere = next.worker.url === before.worker.url
      if (isHere && Number(next.token) <= Number(before.token))
        faults.push(`token ${next.token} of ${id} came after ${before.token}`)
      const reason = reasonFor(before, next, outages)
      doubles[reason]++
      if (reason === 'unexplained')
        faults.push(`unexplained: ${id}: ${tell(before)}, ${tell(next)}`)
      const { stops } = before.worker
      if (stops.some(({ until }) => before.doneAt > until && next.at < until)) doubles.late++
    }
  }
  return doubles
}

/** One began before its store was back, the other after that was away. */
function isAcrossOutage(before, next, all) {
  const outages = all.filter(({ url }) => url === undefined || url === before.worker.url)
  const late = BigInt(LEASE) * 1_000_000n // what was claimed may begin a little later
  return outages.some(({ from, until }) => before.at < until + late && from < next.at)
}

function reasonFor(before, next, outages) {
  const { killedAt, stops } = before.worker
  if (before.isSettled) return 'unexplained'
  if (before.attempt === next.attempt) {
    return isAcrossOutage(before, next, outages) ? 'byOutage' : 'unexplained'
  }
  if (before.hasFailed) return 'byFailure'
  if (killedAt !== null && killedAt < next.at) return 'byKill'
  // A stop can cut a start in two: decided before it, written down as the first line after it.
  const isStopped = ({ from, until }) => before.since < until && from < next.at
  if (stops.some(isStopped)) return 'byStop'
  return isAcrossOutage(before, next, outages) ? 'byOutage' : 'unexplained'
}

function tell({ attempt, at, worker, isSettled, doneAt }) {
  const end = isSettled ? ', settled' : doneAt === undefined ? '' : ', done'
  return `attempt ${attempt} in ${worker.name} at ${at}${end}`
}
