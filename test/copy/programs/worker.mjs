// Works one queue, and says which jobs it has run. Argument: the store's URL.
import { setTimeout as pause } from 'node:timers/promises'
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { poll: '50ms' })
process.on('disconnect', () => process.exit())
const worker = mill.queue('q').work(
  async ({ n }, job) => {
    await pause(30) // its work
    if (n % 7 === 0 && job.attempt === 1) throw new Error('once')
    process.send({ ran: n })
  },
  { concurrency: 3 },
)
process.on('message', () => {
  worker
    .stop()
    .then(() => mill.close())
    .then(() => process.disconnect())
})
