// The producer under the torture of gates: keeps every queue's gates pressed until SIGTERM, one by
// one and in lots, and writes down each acknowledged job. Only this process inserts, and each queue
// in one line, so the places that it gives are the order of insertion.
// Arguments: the store's URL, its ledger.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { DOOMED_ATTEMPTS, GROUPS, QUEUES } from './gate-plan.mjs'
import { openLedger } from './ledger.mjs'

const BACKLOG = 60 // more than any gate lets through at once, and few enough to drain through a rate
const LOT = 12

const [url, path] = process.argv.slice(2)
const ledger = openLedger(path)
const mill = millrace(url, { upkeep: false })
let isOver = false
process.on('SIGTERM', () => (isOver = true))
process.on('disconnect', () => process.exit(1))
process.channel?.unref()

await Promise.all(Object.entries(QUEUES).map(([name, settings]) => press(name, settings)))
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
