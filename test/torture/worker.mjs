// A worker under torture: runs jobs, and writes down each start before its effect, each end before
// it returns, and each completion that the store has answered. It is killed at any moment.
// Arguments: the store's URL, its ledger.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { filler, instant, openLedger } from './ledger.mjs'
import { BEAT, LEASE, QUEUE, SETTINGS } from './plan.mjs'

const [url, path] = process.argv.slice(2)
const ledger = openLedger(path)
const mill = millrace(url, { lease: `${LEASE}ms`, beat: `${BEAT}ms`, drainOn: ['SIGTERM'] })
const tell = (message) => process.connected && process.send(message)

// Told once the verdict is durable: from here on nobody may run this job again.
mill.on('job.completed', ({ id, attempt }) => ledger.write('settled', id, attempt, instant()))
mill.on('store.error', ({ error }) => {
  ledger.write('trouble', error.code, error.message.replaceAll('\n', ' '))
})

mill.queue(QUEUE, SETTINGS).work(
  async ({ key, text, takes, fails }, job) => {
    ledger.write('start', job.id, job.attempt, instant(), key, job.token)
    tell({ began: job.id, attempt: job.attempt, takes, key })
    if (text !== filler(key)) ledger.write('torn', job.id)
    await delay(takes)
    if (fails && job.attempt === 1) {
      ledger.write('failed', job.id, job.attempt, instant())
      throw new Error('this job fails once, as it was told to')
    }
    ledger.write('done', job.id, job.attempt, instant())
    // Every other job leaves a result, which is another way to end it.
    return String(key).at(-1) % 2 === 0 ? key : undefined
  },
  { concurrency: 10 },
)

// It ends with the one who started it, and does not live for the channel's sake.
process.on('disconnect', () => process.exit(1))
process.channel?.unref()
