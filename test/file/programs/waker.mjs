// Puts in jobs, one when the last is done, so that the worker in the other process idles between: at
// once, and a moment later. Argument: the store's URL.
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { upkeep: false, poll: '1h' })
const queue = mill.queue('sleepy')
let woken = 0
for (let n = 0; n < 12; n++) {
  const job = await queue.enqueue(n, n % 3 === 2 ? { in: '50ms' } : {})
  if ((await job.result()) === 'awake') woken++
}
process.send({ woken: { woken } })
await mill.close()
process.disconnect()
