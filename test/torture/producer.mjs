// A producer under torture: enqueues one by one and in lots, and writes down what it is about to
// ask for, and each acknowledged id after its acknowledgement, synced. It is killed at any moment.
// Arguments: the store's URL, its ledger, the prefix of its keys, how many jobs ("Infinity": until
// SIGTERM). Keys are `<prefix>.<lot>.<item>`.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { filler, openLedger } from './ledger.mjs'
import { QUEUE, SETTINGS } from './plan.mjs'

const BACKLOG = 1_500 // beyond this it waits for the workers
const LOT = 40
const LANES = 8 // enqueues of one job that run side by side

const [url, path, prefix, count] = process.argv.slice(2)
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
  while (left > 0 && (await queue.length()) > BACKLOG) await delay(50)
}
await mill.close()

async function enqueueOne() {
  const lot = lots++
  ledger.write('asked', prefix, lot, 1)
  const { id } = await queue.enqueue(payload(lot, 0))
  ledger.writeSynced([['acknowledged', id, `${prefix}.${lot}.0`]])
}

async function enqueueLot(size) {
  const lot = lots++
  ledger.write('asked', prefix, lot, size)
  const jobs = await queue.enqueueMany(
    Array.from({ length: size }, (_, item) => payload(lot, item)),
  )
  ledger.writeSynced(jobs.map(({ id }, item) => ['acknowledged', id, `${prefix}.${lot}.${item}`]))
}

function payload(lot, item) {
  const key = `${prefix}.${lot}.${item}`
  const dice = Math.random()
  const takes = dice < 0.05 ? 300 : Math.floor(dice * 20)
  return { key, text: filler(key), takes, fails: Math.random() < 0.02 }
}
