// Continuum's own set-up, on Millrace: two queues with three workers each and a shared dead-letter
// queue with one, on a folder of letters, with limits of all five kinds; and its stress tester, which
// pushes 500 messages a second to each queue. In the end it adds up: nothing is lost, nothing grows.
//
//   node examples/continuum/main.mjs                         a minute, in a new temporary folder
//   node examples/continuum/main.mjs --seconds 5 --rate 100  shorter, and slower
//   node examples/continuum/main.mjs --store maildir:./mail  where you can look at it meanwhile
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from 'millrace'
import { breakLimits } from './limits.mjs'
import { readOptions } from './options.mjs'
import { stress } from './stress-tester.mjs'
import { LEFT_FILES, filesIn, judge } from './reckoning.mjs'

const { place, folder, seconds, rate } = readOptions()

// 1. The queues. What Continuum limits is limited here.
const limited = {
  limits: {
    payloadBytes: 4_096, // message size
    age: '30s', // message lifetime: what was not started by then is a dead letter
    backlog: 5_000, // queue length
  },
  timeout: '250ms', // worker timeouts
  attempts: 3, // max retries: two after the first
  backoff: { type: 'fixed', delay: '50ms' },
  deadLetter: 'dead-letters',
  receipts: '2s', // nobody asks for results here
  keep: { discarded: 0 }, // whoever works on dead letters has them
}
const mill = millrace(place)
const queues = ['example-queue', 'some-other-queue'].map((name) => mill.queue(name, limited))
const deadLetters = mill.queue('dead-letters', { receipts: '2s', keep: { discarded: 0 } })

// 2. The workers. Most messages are done at once; one in a hundred fails for good, one in five
//    hundred sleeps too long.
const ended = { completed: 0, dead: 0 }
async function example({ n, kind }, { signal }) {
  if (kind === 'fails') throw new Error(`message ${n} fails whatever one does`)
  if (kind === 'sleeps') await delay(60_000, undefined, { signal })
}
for (const queue of queues) queue.work(example, { concurrency: 3 })
deadLetters.work(
  () => {
    ended.dead++
  },
  { concurrency: 1 },
)
mill.on('job.completed', ({ queue }) => {
  if (queue !== deadLetters.name) ended.completed++
})
await mill.open()
console.log(
  `pushing ${rate} messages a second to each of two queues, for ${seconds} s, in ${place}`,
)

// 3. Each limit, met once.
const met = await breakLimits(mill, limited)
for (const line of met.lines) console.log(line)

// 4. The stress tester, and a look every few seconds.
const samples = []
const look = async () => {
  const waiting = await Promise.all(queues.map((queue) => queue.length()))
  const { heapUsed } = process.memoryUsage()
  samples.push({ waiting: waiting[0] + waiting[1], heap: heapUsed, files: filesIn(folder) })
  const { heap, files } = samples.at(-1)
  const mib = (heap / 2 ** 20).toFixed(0)
  console.log(
    `${ended.completed} done, ${ended.dead} dead, ${waiting.join(' + ')} waiting, ${files} files, ${mib} MiB`,
  )
}
const pushed = await stress(queues, {
  seconds,
  rate,
  everySeconds: Math.max(1, seconds / 12),
  look,
})

// 5. It comes to rest, and is counted.
const all = [...queues, deadLetters]
const isAtRest = async () => {
  const counts = await Promise.all(all.map((queue) => queue.counts()))
  return counts.every(({ waiting, scheduled, available, running, retryable }) => {
    return waiting + scheduled + available + running + retryable === 0
  })
}
while (!(await isAtRest())) await delay(100)
// What is left of dead letters goes with the sweeps.
for (let n = 0; n < 60 && filesIn(folder) > LEFT_FILES; n++) await delay(1000)
await mill.close()
const faults = judge({ pushed, ended, met, samples, left: filesIn(folder) })
console.log(
  `${pushed.taken} messages were taken, ${pushed.refused} refused; ${ended.completed} were done, ${ended.dead} became dead letters`,
)
for (const fault of faults) console.error(fault)
console.log(faults.length === 0 ? 'It adds up.' : 'It does not add up.')
process.exitCode = faults.length === 0 ? 0 : 1
