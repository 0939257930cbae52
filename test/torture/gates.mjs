// The torture of gates: real processes press against caps, rates and orders on one folder, race for the
// slots of schedules, and run families of jobs that come after others. They are killed with -9, now and
// then all at once, and paused. Every instant, window, turn, pause, slot and child of what they wrote
// down is put before the judges, and every acknowledged job is looked for.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { judgeFamilies } from '../../dist/testing/family-history.js'
import { judgeGates } from '../../dist/testing/gate-history.js'
import { judgeSlots } from '../../dist/testing/slot-history.js'
import { Crew } from './crew.mjs'
import { momentAfter, readMembers, readRuns, reckonJobs } from './gate-ledgers.mjs'
import { ALL, GATES, GROUPS, PLANS, SPAN_MS } from './gate-plan.mjs'
import { instant } from './ledger.mjs'
import { endOf, within } from './limit.mjs'

const PACE_MS = 700 // between two kills of the long form
const PAUSE_EVERY = 3 // kills between two pauses
const PAUSED_MS = 400
const DARK_EVERY = 24 // kills of the long form between two times when nobody lives
const DARK_MS = 3.5 * SPAN_MS
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
  const blackouts = []
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
    const darken = async () => void blackouts.push(await goDark(crew, workers))
    const how = { crew, length, over, pause, darken, onProgress }
    await (length.kills === undefined ? long : short)(how)
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
  const [producer] = crew.fates('producer')
  const isTimed = ({ queue }) => queue === 'timed'
  const families = judgeFamilies(readMembers(producer), runs)
  const slots = judgeSlots(runs.filter(isTimed), PLANS, blackouts)
  const asked = runs.filter((run) => !isTimed(run))
  const jobs = reckonJobs({ producer, runs: asked, discarded, fallen: families.fallen })
  const judged = judgeGates(runs, pauses, GATES)
  return {
    ...jobs.counts,
    ...Object.fromEntries(Object.keys(ALL).map((name) => [`${name}Starts`, count(runs, name)])),
    ...Object.fromEntries([...judged.pressed].map(([name, most]) => [`${name}Pressed`, most])),
    familyPressed: families.pressed,
    fallen: families.fallen.size,
    ...Object.fromEntries([...slots.fired].map(([name, many]) => [`${name}Slots`, many])),
    ...Object.fromEntries([...slots.leftOut].map(([name, many]) => [`${name}LeftOut`, many])),
    blackouts: blackouts.length,
    kills: crew.fates('worker').filter(({ killedAt }) => killedAt !== null).length,
    killedRuns: runs.filter(({ end }) => end === 'killed').length,
    failedRuns: runs.filter(({ end }) => end === 'failed').length,
    pauses: pauses.length,
    pauseTimeouts: timeouts,
    ...troubles,
    faults: [
      ...[...faults, ...crew.troubles, ...left, ...torn, ...jobs.faults, ...judged.faults],
      ...[...families.faults, ...slots.faults],
    ],
  }
}

async function long({ crew, length, over, pause, darken, onProgress }) {
  const end = performance.now() + length.minutes * 60_000
  for (let kills = 1; performance.now() < end; kills++) {
    await delay(PACE_MS * (0.5 + Math.random()))
    over.throwIfAborted()
    const ready = crew.workers.filter(({ begun }) => begun > 0)
    if (ready.length > 0) await crew.replace(ready[Math.floor(Math.random() * ready.length)])
    if (kills % DARK_EVERY === 0) await within(darken(), over)
    if (kills % PAUSE_EVERY !== 0) continue
    await within(pause(kills / PAUSE_EVERY), over)
    await crew.runsBegun(CALM_RUNS, over)
    if (kills % 15 === 0) onProgress(`${kills} kills`)
  }
}

/** By signals alone: each kill after so many runs, and a pause after each kill. In the end all at once. */
async function short({ crew, length, over, pause, darken }) {
  for (let kill = 1; kill <= length.kills; kill++) {
    await crew.replace(await crew.runsBegun(SHORT_RUNS, over))
    await within(pause(kill), over)
  }
  await crew.runsBegun(SHORT_RUNS, over)
  await within(darken(), over)
  await crew.runsBegun(SHORT_RUNS, over)
}

/** All workers are killed, and for some slots there are none. Answers from when to when, on the wall. */
async function goDark(crew, workers) {
  await Promise.all(crew.workers.map((worker) => worker.kill()))
  const from = Date.now()
  await delay(DARK_MS)
  const to = Date.now()
  for (let n = 0; n < workers; n++) crew.worker()
  return { from, to }
}

/** Each queue in turn, a group of it, and everything. Null: what ran took too long to end. */
async function pauseSome(operator, number, zero) {
  const names = Object.keys(ALL)
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
  for (const name of Object.keys(ALL)) {
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
    for (const name of Object.keys(ALL)) {
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
