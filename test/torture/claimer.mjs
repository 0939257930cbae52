// One of many that claim one job at a time from one queue, as fast as they can: no engine, no
// prefetch, every claim a race. Told 'go', it goes on until nothing is left, and says what it saw.
// Arguments: the folder of the store, the name of its node.
import { fileStore } from '../../dist/stores/file/file-store.js'
import { cardOf, PlayedNode } from '../../dist/testing/conformance/played-node.js'

const [path, name] = process.argv.slice(2)
const store = fileStore({ path })
await store.open({ scope: 'default' })
const node = await PlayedNode.enlist(store, cardOf(name))
process.on('disconnect', () => process.exit(1))
process.once('message', () => race().then(() => process.disconnect()))
process.send({ ready: name })

async function race() {
  let taken = 0
  let outrun = 0 // claims that lost every one of their tries, though there was something to take
  for (;;) {
    const { jobs, nextIn } = await node.claim({ limit: 1 })
    if (jobs.length === 0) {
      if (nextIn !== 0 && (await isDone())) break
      if (nextIn === 0) outrun++
      continue
    }
    taken++
    await node.settle(jobs[0], { kind: 'complete', result: null })
  }
  process.send({ done: name, taken, outrun })
  await store.close()
}

async function isDone() {
  const { items } = await store.queues({ limit: 1, cursor: null })
  return items.length === 0 || items[0].counts.available + items[0].counts.running === 0
}
