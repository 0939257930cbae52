// A worker whose handler holds the event loop for a while, several of its leases.
import { millrace } from '../../dist/index.js'

const HELD = 3_000

const mill = millrace(process.argv[2], { lease: '1s' })
await mill.open()
const worker = mill.queue('q').work(() => {
  process.send('holds')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HELD)
  process.send('held')
})
await new Promise((resolve) => process.once('message', resolve))
await worker.stop()
await mill.close()
process.disconnect()
