// A producer under torture: enqueues one by one and in lots, and writes down what it is about to
// ask for, and each acknowledged id after its acknowledgement, synced; a store that is away is waited
// for, and what it did not take is written down as refused. It is killed at any moment.
// Arguments: the store's URL, its ledger, the prefix of its keys, how many jobs ("Infinity": until
// SIGTERM), beyond which backlog it waits for the workers. Keys are `<prefix>.<lot>.<item>`.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace, MillraceError } from '../../dist/index.js'
import { filler, openLedger } from './ledger.mjs'
import { QUEUE, SETTINGS } from './plan.mjs'

const LOT = 40
const LANES = 8 // enqueues of one job that run side by side

const [url, path, prefix, count, most] = process.argv.slice(2)
const ledger = openLedger(path)
const mill = millrace(url, { upkeep: false })
const queue = mill.queue(QUEUE, SETTINGS)
let left = Number(count)
let lots = 0
process.on('SIGTERM', () => (left = 0))
process.on('disconnect', () => process.exit(1))
process.channel?.unref()

while (left > 0) {
  const isBulk = Math.random() < 0.3
  const size = Math.min(left, isBulk ? LOT : LANES)
  left -= size
  if (isBulk) await enqueueLot(size)
  else await Promise.all(Array.from({ length: size }, enqueueOne))
  while (left > 0 && (await backlog()) > Number(most)) await delay(50)
}
await mill.close()

/** Infinity: the store cannot say. */
async function backlog() {
  try {
    return await queue.length()
  } catch (error) {
    if (MillraceError.is(error, 'STORE_UNREACHABLE')) return Infinity
    throw error
  }
}

async function enqueueOne() {
  await ask(1, async (lot) => [await queue.enqueue(payload(lot, 0))])
}

async function enqueueLot(size) {
  await ask(size, (lot) =>
    queue.enqueueMany(Array.from({ length: size }, (_, item) => payload(lot, item))),
  )
}

/** What came to nothing is asked for anew, as other jobs; what may have landed is let be. */
async function ask(size, enqueue) {
  const lot = lots++
  ledger.write('asked', prefix, lot, size)
  try {
    const jobs = await enqueue(lot)
    ledger.writeSynced(jobs.map(({ id }, item) => ['acknowledged', id, `${prefix}.${lot}.${item}`]))
  } catch (error) {
    if (MillraceError.is(error, 'STORE_UNREACHABLE')) ledger.write('refused', prefix, lot)
    else if (!MillraceError.is(error, 'OUTCOME_UNKNOWN')) throw error
    left += size
  }
}

function payload(lot, item) {
  const key = `${prefix}.${lot}.${item}`
  const dice = Math.random()
  const takes = dice < 0.05 ? 300 : Math.floor(dice * 20)
  return { key, text: filler(key), takes, fails: Math.random() < 0.02 }
}
