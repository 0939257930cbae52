// A process with a worker in isolation, to be killed, stopped, or left to end by itself.
import { millrace } from '../../../dist/index.js'

const { kind, how, payloads } = JSON.parse(process.argv[2])
const mill = millrace('memory:')
const queue = mill.queue('q')
const worker = queue.work(new URL('./deeds.mjs', import.meta.url), {
  isolate: kind,
  concurrency: 2,
})
const jobs = await Promise.all(payloads.map((payload) => queue.enqueue(payload)))
if (how === 'stop') {
  const results = await Promise.all(jobs.map((job) => job.result()))
  await worker.stop()
  await mill.close()
  console.log(JSON.stringify(results))
}
if (how === 'close') {
  const results = await Promise.all(jobs.map((job) => job.result()))
  await mill.close()
  console.log(JSON.stringify(results))
}
