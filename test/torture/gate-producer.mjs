// The producer under the torture of gates: keeps every queue's gates pressed until SIGTERM, one by
// one and in lots, and writes down each acknowledged job. Only this process inserts, and each queue
// in one line, so the places that it gives are the order of insertion. It declares the schedules, and
// puts in families: a graph in one call, and what comes after that in another queue.
// Arguments: the store's URL, its ledger.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import {
  DOOMED_ATTEMPTS,
  FAMILIES,
  GROUPS,
  QUEUES,
  SCHEDULES,
  SPAN_MS,
  TIMED,
} from './gate-plan.mjs'
import { openLedger } from './ledger.mjs'

const BACKLOG = 60 // more than any gate lets through at once, and few enough to drain through a rate
const LOT = 12
const KIN = 25 // jobs of families that are unfinished at once, about

const [url, path] = process.argv.slice(2)
const ledger = openLedger(path)
const mill = millrace(url, { upkeep: false })
let isOver = false
process.on('SIGTERM', () => (isOver = true))
process.on('disconnect', () => process.exit(1))
process.channel?.unref()

const timed = mill.queue('timed', TIMED.timed)
for (const { name, missed, overlap, takes } of SCHEDULES) {
  const payload = { takes, fails: 0 }
  await timed.schedule(name, { every: `${SPAN_MS}ms`, missed, overlap, group: name, payload })
}
const pressed = Object.entries(QUEUES).map(([name, settings]) => press(name, settings))
await Promise.all([...pressed, raise()])
for (const { name } of SCHEDULES) await timed.unschedule(name)
await mill.close()

async function press(name, settings) {
  const queue = mill.queue(name, settings)
  let places = 0
  while (!isOver) {
    if ((await queue.length()) >= BACKLOG) {
      await delay(30)
      continue
    }
    const size = Math.random() < 0.5 ? 1 : LOT
    const lot = Array.from({ length: size }, () => imagine(name, places++))
    const jobs = await queue.enqueueMany(
      lot.map(({ payload }) => payload),
      (_, item) => lot[item].options,
    )
    for (const [item, { id }] of jobs.entries()) {
      const { payload, isDoomed } = lot[item]
      ledger.write('acknowledged', id, name, payload.place, isDoomed ? 'doomed' : 'sound')
    }
  }
}

/** In the ordered queue a sixth fails, and some of it for good: those behind must wait. */
function imagine(name, place) {
  const dice = name === 'ordered' ? Math.random() : 1
  const isDoomed = dice < 0.04
  const fails = isDoomed ? DOOMED_ATTEMPTS : dice < 0.1 ? 2 : dice < 0.16 ? 1 : 0
  const takes = Math.floor(Math.random() * 30)
  const group = GROUPS[Math.floor(Math.random() * GROUPS.length)]
  const attempts = isDoomed ? { attempts: DOOMED_ATTEMPTS } : {}
  return { payload: { place, takes, fails }, options: { group, ...attempts }, isDoomed }
}

/** Families, one after the other; some of their jobs fail, and some fail for good. */
async function raise() {
  const family = mill.queue('family', FAMILIES.family)
  const heirs = mill.queue('heirs', FAMILIES.heirs)
  for (let number = 0; !isOver;) {
    if ((await family.length()) + (await heirs.length()) >= KIN) {
      await delay(30)
      continue
    }
    const kin = imagineFamily(`f${number++}`)
    // The last stand first: parents may stand later in the call.
    const lot = [...kin].reverse()
    const options = ({ id, after, policy, isDoomed }) => ({
      ...{ id, onParentFailed: policy, after: after.map((one) => ({ queue: 'family', id: one })) },
      ...(isDoomed ? { attempts: DOOMED_ATTEMPTS } : {}),
    })
    await family.enqueueMany(
      lot.map(({ payload }) => payload),
      (_, at) => options(lot[at]),
    )
    for (const member of kin) tellOf('family', member)
    const heir = imagine('heirs', number)
    const policy = Math.random() < 0.5 ? 'discard' : 'run'
    const member = { id: `${kin[0].id}-heir`, after: [kin.at(-1).id], policy, ...heir }
    await heirs.enqueue(member.payload, options(member))
    tellOf('heirs', member)
  }
}

/** A root, branches after it, each of which may fail for good, and one that comes after them all. */
function imagineFamily(name) {
  const root = { ...kid(`${name}-root`, [], 'wait'), isDoomed: false }
  const branches = Array.from({ length: 1 + Math.floor(Math.random() * 4) }, (_, at) =>
    kid(`${name}-branch${at}`, [root.id], 'wait'),
  )
  const after = branches.map(({ id }) => id)
  // What waits on after a failure would wait for an operator.
  const policies = branches.some(({ isDoomed }) => isDoomed) ? ['discard', 'run'] : ['wait', 'run']
  const policy = policies[Math.floor(Math.random() * 2)]
  const crown = { ...kid(`${name}-crown`, after, policy), isDoomed: false }
  return [root, ...branches, crown].map((one) => ({
    ...one,
    payload: { ...one.payload, fails: one.isDoomed ? DOOMED_ATTEMPTS : one.payload.fails },
  }))
}

function kid(id, after, policy) {
  const fails = Math.random() < 0.2 ? 1 : 0
  const takes = Math.floor(Math.random() * 30)
  return { id, after, policy, payload: { place: 0, takes, fails }, isDoomed: Math.random() < 0.05 }
}

function tellOf(queue, { id, after, policy, payload, isDoomed }) {
  const fate = isDoomed ? 'doomed' : 'sound'
  ledger.write('acknowledged', id, queue, payload.place, fate, policy, ...after)
}
