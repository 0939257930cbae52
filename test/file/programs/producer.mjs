// Puts in one job after the other, and says when it asked for each and when it was acknowledged, by the
// one monotonic clock of this host. Arguments: the store's URL, the prefix of its keys.
import { once } from 'node:events'
import { millrace } from '../../../dist/index.js'

const [url, prefix] = process.argv.slice(2)
const mill = millrace(url, { upkeep: false })
await mill.open()
const queue = mill.queue('ordered')
process.send({ ready: true })
await once(process, 'message')
const puts = []
for (let n = 0; n < 60; n++) {
  const key = `${prefix}${n}`
  const asked = String(process.hrtime.bigint())
  await queue.enqueue(key)
  puts.push({ key, asked, acknowledged: String(process.hrtime.bigint()) })
}
process.send({ puts })
await mill.close()
process.disconnect()
