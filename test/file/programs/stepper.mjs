// A worker that does a payment in two steps, and is killed between them when it is told to.
// Arguments: the store's URL, the file in which it writes what it did, 'dies' or 'lives'.
import { appendFileSync } from 'node:fs'
import { millrace } from '../../../dist/index.js'

const [url, ledger, end] = process.argv.slice(2)
const did = (what) => appendFileSync(ledger, `${what}\n`)
const mill = millrace(url, { poll: '100ms' })
process.on('disconnect', () => process.exit())
mill.on('job.completed', () => process.send('completed'))
mill.queue('payments').work(async (_, job) => {
  const charge = await job.step('charge', () => {
    did('charged')
    return job.attempt
  })
  if (end === 'dies') process.kill(process.pid, 'SIGKILL')
  const mail = await job.step('mail', () => {
    did('mailed')
    return job.attempt
  })
  return { charge, mail }
})
