// An observer of the torture: one process that lives through all of it, never works and is never
// killed, so its picture of the queue was folded from every word that was ever written. Asked
// 'counts', it answers what it sees; asked 'drained', it answers when nothing is left.
// Argument: the store's URL.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { QUEUE } from './plan.mjs'

const mill = millrace(process.argv[2], { upkeep: false })
const queue = mill.queue(QUEUE)
await mill.open()

process.on('message', async (question) => {
  let counts = await queue.counts()
  while (question === 'drained' && unfinished(counts) > 0) {
    await delay(50)
    counts = await queue.counts()
  }
  if (process.connected) process.send({ answer: question, counts })
})
process.on('disconnect', () => mill.close())
process.on('SIGTERM', () => mill.close().then(() => process.disconnect()))
process.send({ answer: 'open' })

function unfinished({ scheduled, available, retryable, waiting, running }) {
  return scheduled + available + retryable + waiting + running
}
