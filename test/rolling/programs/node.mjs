// A node of a deployment that rolls: it enqueues, works, and says what it did. Arguments: the file of its
// release, the store's URL, the name of the node.
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const [release, url, name] = process.argv.slice(2)
const { millrace } = await import(pathToFileURL(release).href)
const mill = millrace(url, { poll: '100ms' })
mill.on('store.error', ({ error }) => process.send({ trouble: error.message }))
let goesOn = true
const lanes = []
try {
  await mill.open()
  process.send({ isOpen: true })
} catch (error) {
  process.send({ refused: error.code, message: error.message }, () => process.disconnect())
  goesOn = false
}

if (goesOn) {
  const queue = mill.queue('q', { attempts: 3, groups: { concurrency: 3 } })
  const worker = queue.work(
    async ({ by }, job) => {
      await delay(2) // its work
      process.send({ ran: job.id, by })
    },
    { concurrency: 4 },
  )
  process.on('message', async (word) => {
    goesOn = false
    await Promise.all(lanes)
    if (word === 'rest') return process.send({ resting: true })
    await worker.stop()
    await mill.close()
    process.disconnect()
  })
  for (let lane = 0; lane < 2; lane++) lanes.push(produce(queue))
}

async function produce(queue) {
  for (let n = 0; goesOn; n++) {
    const { id } = await queue.enqueue({ by: name }, { group: `${n % 5}`, priority: n % 3 })
    process.send({ enqueued: id })
    await delay(25) // so that the workers keep up
  }
}
