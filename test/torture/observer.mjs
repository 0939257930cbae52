// An observer of the torture: one process that lives through all of it, never works and is never
// killed, so its picture of the queue was folded from every word that was ever written. Asked
// 'counts', it answers what it sees; asked 'drained', it answers when nothing is left.
// Argument: the store's URL.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace, MillraceError } from '../../dist/index.js'
import { QUEUE } from './plan.mjs'

const mill = millrace(process.argv[2], { upkeep: false })
const queue = mill.queue(QUEUE)
await mill.open()

process.on('message', async (question) => {
  let counts = await look()
  while (question === 'drained' && unfinished(counts) > 0) {
    await delay(50)
    counts = await look()
  }
  if (process.connected) process.send({ answer: question, counts })
})
process.on('disconnect', () => mill.close())
process.on('SIGTERM', () => mill.close().then(() => process.disconnect()))
process.send({ answer: 'open' })

/** However long the store is away. */
async function look() {
  for (;;) {
    try {
      return await queue.counts()
    } catch (error) {
      if (!MillraceError.is(error, 'STORE_UNREACHABLE')) throw error
      await delay(50)
    }
  }
}

function unfinished({ scheduled, available, retryable, waiting, running }) {
  return scheduled + available + retryable + waiting + running
}
