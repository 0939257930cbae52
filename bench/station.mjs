// A worker in a process of its own: opens the store, works from "go" to "stop", tells what ran.
import { Ledger } from './ledger.mjs'
import { opener } from './subjects.mjs'

/** How often it tells how far it is: seldom enough to cost nothing. */
const TELL_EVERY = 10

const { subject: named, place, measure, jobs, concurrency, latency } = JSON.parse(process.argv[2])
const subject = await opener(named, place, measure)()
const ledger = new Ledger(jobs)
const waits = []
let lastRun = 0
let told = 0

function run({ n, at }) {
  const now = performance.timeOrigin + performance.now()
  if (latency) waits.push(now - at)
  ledger.ran(n)
  lastRun = now
}

async function stop(end, telling, cpu) {
  clearInterval(telling)
  await end()
  await subject.close()
  const { user, system } = process.cpuUsage(cpu)
  const { runs, total } = ledger
  const ended = { what: 'ended', runs, total, lastRun, waits, cpu: user + system }
  process.send(ended, () => process.disconnect())
}

process.on('message', (message) => {
  if (message !== 'go') return
  const cpu = process.cpuUsage()
  const end = subject.work(run, { concurrency })
  const telling = setInterval(() => {
    if (ledger.total !== told) process.send({ what: 'ran', total: (told = ledger.total) })
  }, TELL_EVERY)
  process.once('message', () => void stop(end, telling, cpu))
})
process.send({ what: 'ready' })
