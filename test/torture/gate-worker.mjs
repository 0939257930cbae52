// A worker under the torture of gates: works on every queue, and writes down each start as the
// first thing that its handler does, and each end as the last. It is killed at any moment.
// Arguments: the store's URL, its ledger.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { ALL } from './gate-plan.mjs'
import { instant, openLedger } from './ledger.mjs'

const [url, path] = process.argv.slice(2)
const ledger = openLedger(path)
const mill = millrace(url, { drainOn: ['SIGTERM'] })

mill.on('store.error', ({ error }) => {
  ledger.write('trouble', error.code, error.message.replaceAll('\n', ' '))
})

for (const [name, settings] of Object.entries(ALL)) {
  mill.queue(name, settings).work(
    async ({ place, takes, fails }, job) => {
      const [at, wall] = [instant(), Date.now()]
      // Where it stands is its slot, if it has one.
      const stands = place ?? Date.parse(job.meta.schedule.slot)
      ledger.write('start', job.id, job.attempt, at, name, job.group, stands, wall)
      if (process.connected) process.send({ began: job.id })
      await delay(takes)
      const end = job.attempt <= fails ? 'failed' : 'done'
      ledger.write('end', job.id, job.attempt, instant(), end)
      if (end === 'failed') throw new Error('this attempt fails, as it was told to')
    },
    { concurrency: 6 },
  )
}

// It ends with the one who started it, and does not live for the channel's sake.
process.on('disconnect', () => process.exit(1))
process.channel?.unref()
