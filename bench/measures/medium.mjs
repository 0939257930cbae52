// What the medium gives by itself: appends of a batch's bytes, each batch made durable. This is the
// ceiling of any log: nothing is encoded, checked, kept in order or remembered.
import { closeSync, fdatasync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'

const sync = promisify(fdatasync)

export async function medium({ folder, seconds, batch, bytesPerJob, pipelined, durable }) {
  const file = openSync(`${folder}/medium.log`, 'a')
  const bytes = Buffer.alloc(batch * bytesPerJob, 'x')
  let jobs = 0
  let under = Promise.resolve()
  const begun = performance.now()
  for (const until = begun + seconds * 1000; performance.now() < until; jobs += batch) {
    writeSync(file, bytes)
    if (!durable) continue
    if (batch === 1) {
      fdatasyncSync(file)
    } else {
      const before = under
      under = sync(file)
      await (pipelined ? before : under)
    }
  }
  await under
  const took = performance.now() - begun
  closeSync(file)
  return { perSecond: (jobs / took) * 1000 }
}
