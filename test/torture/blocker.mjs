// A worker whose handler holds the event loop, as one does that computes, until a file appears.
// Arguments: the store's URL, the file, the lease and the beat in milliseconds.
import { existsSync } from 'node:fs'
import { millrace } from '../../dist/index.js'

const [url, flag, lease, beat] = process.argv.slice(2)
const mill = millrace(url, { lease: `${lease}ms`, beat: `${beat}ms` })
const cell = new Int32Array(new SharedArrayBuffer(4))

mill.on('job.completed', ({ attempt }) => process.send({ completed: attempt }))
mill.on('attempt.failed', ({ outcome }) => process.send({ failed: outcome }))
mill.on('store.error', ({ error }) => process.send({ trouble: error.message }))
process.on('message', () => mill.close().then(() => process.disconnect()))
process.on('disconnect', () => process.exit())

mill.queue('blocking').work((_, job) => {
  return new Promise((resolve) => {
    // What is sent must be out before the loop stands still.
    process.send({ began: job.attempt }, () => {
      while (!existsSync(flag)) Atomics.wait(cell, 0, 0, 20)
      resolve()
    })
  })
})
