// The demo: 329 real webhooks go through a queue in a folder to a receiver that is trouble, by way
// of three worker processes, one of which is killed in the middle. Those of one repository arrive in
// order, nothing is asked of the receiver more often than it wants, a digest goes out by the clock.
// In the end it adds up.
//
//   npm run demo                               in a new folder under the system's temporary one
//   npm run demo -- --store file:./queues      somewhere else, in a scope of its own
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from 'millrace'
import { groupOf, readOptions } from './options.mjs'
import { makeProgress } from './progress.mjs'
import { startReceiver } from './receiver.mjs'
import { addUp, summaryLines, whatNext } from './summary.mjs'
import { startWorker } from './workers.mjs'

const WORKERS = 3
const RATE = { count: 25, per: '1s', key: 'receiver' } // what the receiver wants to bear, in all
const LONGEST_SECONDS = 120 // nobody waits longer for a demo
const progress = makeProgress()
const { place, scope, deliveries } = readOptions()

// 1. The queue. What is said of it here is stored with it, so that workers need only its name.
const mill = millrace(place, { scope })
const webhooks = mill.queue('webhooks', {
  attempts: 4,
  backoff: { type: 'exponential', min: '50ms', max: '400ms' },
  timeout: '500ms',
  order: 'blocking', // of one group one at a time, in order; one that fails holds up its group only
  rate: RATE, // a key is a budget: both queues that name it share it, over all processes
  deadLetter: 'webhooks-dead', // where those go that cannot be delivered
  keep: { completed: '1d' }, // usually 0; here we want to look at them afterwards
})
const deadLetters = mill.queue('webhooks-dead')
const news = mill.queue('news', { rate: RATE, timeout: '2s', keep: { completed: '1d' } })
const digests = mill.queue('digests', { keep: { completed: '1d' } })

// 2. The jobs, all or none. The ids are ours: the same id twice would be one job. The group is the
//    repository: what happened in one is told in the order in which it happened.
const groups = deliveries.map(groupOf)
await webhooks.enqueueMany(deliveries, ({ event }, index) => ({
  id: `delivery-${index + 1}`,
  group: groups[index],
  tags: [event],
}))
const headlines = deliveries.filter(({ event }) => event === 'issues' || event === 'release')
await news.enqueueMany(headlines.map(({ event, body }) => `${event}: ${body.action}`))
await digests.schedule('digest', { every: '2s', payload: {} })
progress.note(`${deliveries.length} webhooks of ${new Set(groups).size} repositories wait in ${progress.paint.bold(place)}.
${WORKERS} processes deliver them, to a receiver that is often busy, at times too slow, and wants
some not at all, and no more than ${RATE.count} in a second. One process will be killed on the way.`)

// 3. The other side. When it has accepted two fifths, the worker that brought the last of them is
// killed before it hears so: that job will run again, and the receiver will see a repeat.
let killed = null
const receiver = await startReceiver({
  onAccepted({ id, worker: pid }) {
    if (killed !== null || receiver.accepted.size < deliveries.length * 0.4) return
    killed = { id, pid }
    process.kill(pid, 'SIGKILL')
    progress.note(progress.paint.yellow(`kill -9 ${pid}: a worker, while it delivers ${id}`))
  },
})

// 4. The workers.
let isDone = false
let retried = 0
const lastWords = new Map() // of jobs that were discarded, by id
const starts = [] // when each run that spends the receiver's budget began
const env = { MILLRACE_URL: place, MILLRACE_SCOPE: scope, RECEIVER_URL: receiver.url }
const workers = Array.from({ length: WORKERS }, () =>
  startWorker({ env, onEvent: hear, onTrouble: progress.note }),
)
for (const { pid, ended } of workers) {
  ended.then((how) => {
    if (pid !== killed?.pid && !isDone) giveUp(`worker ${pid} ended by itself: ${how}`)
  })
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => giveUp(signal))

function hear({ type, queue, id, message, at }) {
  if (type === 'job.started' && queue !== 'digests') starts.push(Date.parse(at))
  if (type === 'job.retrying' || type === 'job.lost') retried++
  if (type === 'job.discarded') lastWords.set(id, message)
}

// 5. Look at the queues until nothing is left to do.
while (!isDone) {
  await delay(100)
  const counts = await webhooks.counts()
  const dead = await deadLetters.length()
  const told = await news.counts()
  const finished = counts.completed + counts.discarded + dead
  progress.show({
    rows: [
      { ...row('webhooks', counts), retried, dead },
      { ...row('news', told), retried: 0, dead: 0 },
      { name: 'webhooks-dead', waiting: dead, running: 0, done: 0, retried: 0, dead: 0 },
    ],
    share: finished / deliveries.length,
    finished,
  })
  isDone = finished === deliveries.length && told.completed === headlines.length
  if (performance.now() > LONGEST_SECONDS * 1000) giveUp(`not done after ${LONGEST_SECONDS} s`)
}

// 6. Let the workers end, and compare what both sides have written down.
for (const worker of workers) worker.stop()
await Promise.all(workers.map(({ ended }) => ended))
const summary = addUp({
  ids: deliveries.map((_, index) => `delivery-${index + 1}`),
  accepted: receiver.accepted,
  completed: await all((page) => webhooks.list({ state: 'completed' }, page)),
  dead: await all((page) => deadLetters.list({}, page)),
  lastWords,
  killed: killed.pid,
  groups: new Map(groups.map((group, index) => [`delivery-${index + 1}`, group])),
  visits: receiver.visits,
  starts,
  rate: { count: RATE.count, per: 1000 },
  digests: receiver.digests,
})
await receiver.close()
await mill.close()
console.log(['', ...summaryLines(summary, progress.paint), ''].join('\n'))
console.log(
  whatNext({ place, scope, example: killed.id, dead: summary.dead }, progress.paint).join('\n'),
)
process.exitCode = summary.faults.length === 0 ? 0 : 1

function row(name, { scheduled, available, retryable, running, completed }) {
  return { name, waiting: scheduled + available + retryable, running, done: completed }
}

/** Every page of a list. */
async function all(list) {
  const found = []
  let after
  do {
    const page = await list({ limit: 1000, ...(after && { after }) })
    found.push(...page)
    after = page.next
  } while (after)
  return found
}

function giveUp(why) {
  for (const worker of workers) worker.stop()
  console.error(`\nThe demo ended early: ${why}. What it has done so far is in ${place}`)
  process.exit(1)
}
