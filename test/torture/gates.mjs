// The torture of gates: real processes press against caps, rates and orders on one folder, are
// killed with -9 and paused now and then. Every instant, window, turn and pause of what they wrote
// down is put before the judge, and every acknowledged job is looked for.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { judgeGates } from '../../dist/testing/gate-history.js'
import { Crew } from './crew.mjs'
import { momentAfter, readRuns, reckonJobs } from './gate-ledgers.mjs'
import { GATES, GROUPS, QUEUES } from './gate-plan.mjs'
import { instant } from './ledger.mjs'
import { endOf, within } from './limit.mjs'

const PACE_MS = 700 // between two kills of the long form
const PAUSE_EVERY = 3 // kills between two pauses
const PAUSED_MS = 400
const CALM_RUNS = 300 // after a pause, so that those who were in two crashes and run alone are done
const SHORT_RUNS = 120 // between two kills of the short form
const DRAIN_MS = 120_000
const PROGRAMS = { worker: 'gate-worker.mjs', producer: 'gate-producer.mjs' }

/** `length` is `{ minutes }` or `{ kills }`. Answers counts and `faults`, as the ordeal does. */
export async function gates({ folder, workers, length, onProgress }) {
  const url = `file:${folder}/queues`
  const zero = instant()
  const crew = new Crew(folder, url, PROGRAMS)
  const over = endOf((length.minutes ?? 0.5) * 60_000 + DRAIN_MS)
  const operator = millrace(url, { upkeep: false })
  const pauses = []
  const faults = []
  let timeouts = 0
  try {
    const producer = crew.producer(Infinity)
    for (let n = 0; n < workers; n++) crew.worker()
    const pause = async (number) => {
      const paused = await pauseSome(operator, number, zero)
      if (paused === null) timeouts++
      else pauses.push(paused)
    }
    await (length.kills === undefined ? long : short)({ crew, length, over, pause, onProgress })
    await within(producer.dismiss(), over)
    await drained(operator, over)
    await within(Promise.all(crew.workers.map((worker) => worker.dismiss())), over)
  } catch (error) {
    faults.push(`it did not come to its end: ${error.message}`)
  } finally {
    await crew.end()
    await operator.close()
  }
  const { left, discarded } = await lookAnew(url)
  const { runs, troubles, faults: torn } = readRuns(crew.fates('worker'), zero)
  const jobs = reckonJobs({ producer: crew.fates('producer')[0], runs, discarded })
  const judged = judgeGates(runs, pauses, GATES)
  return {
    ...jobs.counts,
    ...Object.fromEntries(Object.keys(QUEUES).map((name) => [`${name}Starts`, count(runs, name)])),
    ...Object.fromEntries([...judged.pressed].map(([name, most]) => [`${name}Pressed`, most])),
    kills: crew.fates('worker').filter(({ killedAt }) => killedAt !== null).length,
    killedRuns: runs.filter(({ end }) => end === 'killed').length,
    failedRuns: runs.filter(({ end }) => end === 'failed').length,
    pauses: pauses.length,
    pauseTimeouts: timeouts,
    ...troubles,
    faults: [...faults, ...crew.troubles, ...left, ...torn, ...jobs.faults, ...judged.faults],
  }
}

async function long({ crew, length, over, pause, onProgress }) {
  const end = performance.now() + length.minutes * 60_000
  for (let kills = 1; performance.now() < end; kills++) {
    await delay(PACE_MS * (0.5 + Math.random()))
    over.throwIfAborted()
    const ready = crew.workers.filter(({ begun }) => begun > 0)
    if (ready.length > 0) await crew.replace(ready[Math.floor(Math.random() * ready.length)])
    if (kills % PAUSE_EVERY !== 0) continue
    await within(pause(kills / PAUSE_EVERY), over)
    await crew.runsBegun(CALM_RUNS, over)
    if (kills % 15 === 0) onProgress(`${kills} kills`)
  }
}

/** By signals alone: each kill after so many runs, and a pause after each kill. */
async function short({ crew, length, over, pause }) {
  for (let kill = 1; kill <= length.kills; kill++) {
    await crew.replace(await crew.runsBegun(SHORT_RUNS, over))
    await within(pause(kill), over)
  }
  await crew.runsBegun(SHORT_RUNS, over)
}

/** Each queue in turn, a group of it, and everything. Null: what ran took too long to end. */
async function pauseSome(operator, number, zero) {
  const names = Object.keys(QUEUES)
  const name = names[number % names.length]
  const group = number % 3 === 1 ? GROUPS[number % GROUPS.length] : null
  const isAll = number % 3 === 2
  const queue = operator.queue(name)
  const which = group === null ? {} : { group }
  const wait = { wait: true, timeout: '10s' }
  try {
    await (isAll ? operator.pauseAll(wait) : queue.pause({ ...which, ...wait }))
  } catch (error) {
    if (error.code === 'PAUSE_TIMEOUT') return null
    throw error
  }
  const from = momentAfter(zero, instant())
  await delay(PAUSED_MS)
  const to = momentAfter(zero, instant())
  await (isAll ? operator.resumeAll() : queue.resume(which))
  return { queue: isAll ? null : name, group, from, to }
}

async function drained(operator, over) {
  for (const name of Object.keys(QUEUES)) {
    while (unfinished(await operator.queue(name).counts()) > 0) {
      await delay(50, undefined, { signal: over })
    }
  }
}

function unfinished({ scheduled, available, retryable, waiting, running }) {
  return scheduled + available + retryable + waiting + running
}

/** What is left, and what was given up, as one sees it who begins from what is on the disk. */
async function lookAnew(url) {
  const mill = millrace(url, { upkeep: false })
  const left = []
  const discarded = new Set()
  try {
    for (const name of Object.keys(QUEUES)) {
      const queue = mill.queue(name)
      for (const [state, number] of Object.entries(await queue.counts())) {
        const isFine = number === 0 || state === 'discarded'
        if (!isFine) left.push(`${name} has ${number} ${state} at the end`)
      }
      let after
      do {
        const page = await queue.list({ state: 'discarded' }, { limit: 500, after })
        for (const { id } of page) discarded.add(id)
        after = page.next ?? undefined
      } while (after !== undefined)
    }
  } finally {
    await mill.close()
  }
  return { left, discarded }
}

const count = (runs, name) => runs.filter(({ queue }) => queue === name).length
