// From the call of `add` to the first line of the handler, at fifty jobs a second, in milliseconds, in
// a process that runs for some seconds already: what it does for the first time takes everybody longer.
import { Ledger } from '../ledger.mjs'
import { payload } from '../payload.mjs'
import { Station } from './process.mjs'

const PER_SECOND = 50
const CONCURRENCY = 10
/** Of the waits, at the beginning, which are not counted. */
const WARMING = 1 / 4

export async function latency(open, { seconds, across }) {
  const jobs = Math.round(seconds * PER_SECOND)
  return across ? fromAnother(open, jobs) : within(open, jobs)
}

async function within(open, jobs) {
  const subject = await open()
  const ledger = new Ledger(jobs)
  const waits = []
  const stop = subject.work(
    ({ n, at }) => {
      waits.push(clock() - at)
      ledger.ran(n)
    },
    { concurrency: CONCURRENCY },
  )
  await produce(subject, jobs)
  await until(() => ledger.total >= jobs)
  await stop()
  await subject.close()
  return percentiles(waits, ledger)
}

async function fromAnother(open, jobs) {
  const subject = await open()
  const ledger = new Ledger(jobs)
  const asked = { ...open.told, jobs, concurrency: CONCURRENCY }
  const station = new Station({ ...asked, latency: true })
  await station.heard('ready')
  station.tell('go')
  await produce(subject, jobs)
  await until(() => station.ran >= jobs)
  station.tell('stop')
  const { runs, waits } = await station.heard('ended')
  ledger.add(runs)
  await subject.close()
  return percentiles(waits, ledger)
}

/** Every 20 ms on average; not on the beat, so that nobody's timer falls in step. */
async function produce(subject, jobs) {
  await sleep(200)
  for (let n = 0; n < jobs; n++) {
    const added = subject.add({ ...payload(n), at: clock() })
    await sleep((1000 / PER_SECOND) * (0.5 + Math.random()))
    await added
  }
}

/** The same in every process of the host, to the microsecond. */
function clock() {
  return performance.timeOrigin + performance.now()
}

function percentiles(waits, ledger) {
  const { missing, repeated } = ledger.verdict()
  const sorted = waits.slice(Math.floor(waits.length * WARMING)).sort((a, b) => a - b)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  return { p50: at(0.5), p99: at(0.99), isExact: missing === 0 && repeated === 0 }
}

async function until(done) {
  while (!done()) await sleep(5)
}

function sleep(delay) {
  return new Promise((resolve) => setTimeout(resolve, delay))
}
