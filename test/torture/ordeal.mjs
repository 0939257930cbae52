// The ordeal: what is done to the processes while they work, and how it ends. Every deed waits for
// a sign of work first (a run that began), never for a guess about time; only the long form paces
// its kills by the clock besides.
import { setTimeout as delay } from 'node:timers/promises'
import { millrace } from '../../dist/index.js'
import { Crew } from './crew.mjs'
import { endOf, within } from './limit.mjs'
import { instant } from './ledger.mjs'
import { LEASE, QUEUE } from './plan.mjs'
import { reckon } from './reckoning.mjs'

const PACE_MS = 300 // between two kills of the long form
const STOP_EVERY = 25 // kills of the long form
const PRODUCER_EVERY = 10 // kills of workers between two of the producer
// After a storm of kills many jobs were in two crashes and run alone, one a worker; a calm lets
// the full load come back, so that the next storm hits it, too.
const STORM = 20 // kills without a calm between them
const CALM_RUNS = 1_000
const DISTURB_EVERY = 15 // kills of the long form between two of what they work on
const SILENCE_MS = 2 * LEASE // of all others while one is stopped: it keeps them out
const DRAIN_MS = 120_000 // for what is left when the kills are over

/**
 * `url`: of the store; ledgers lie in `folder`. `disturb`: what is done to the store itself now and
 * then [nothing]. `length` is `{ minutes }` or `{ jobs, kills }`; `onProgress` gets a line now and then. Answers
 * the counts of the reckoning with `faults`, the sentences about what is wrong: none, it is hoped.
 */
export async function ordeal({ folder, url, workers, length, onProgress, disturb }) {
  const crew = new Crew(folder, url)
  const outages = []
  const noted = async () => {
    if (disturb === undefined) return
    const from = instant()
    await disturb()
    outages.push({ from, until: instant() })
  }
  const over = endOf((length.minutes ?? 0.5) * 60_000 + DRAIN_MS)
  const faults = []
  try {
    const observer = crew.observer()
    await crew.heard((from) => from === observer, over)
    let producer = crew.producer(length.jobs ?? Infinity)
    for (let n = 0; n < workers; n++) crew.worker()
    const isLong = length.minutes !== undefined
    const deeds = { crew, producer, length, observer, over, onProgress, disturb: noted, outages }
    producer = await (isLong ? long : short)(deeds)
    if (isLong) await within(producer.dismiss(), over)
    else await within(producer.ended, over)
    await ask(crew, observer, 'drained', over)
    await within(Promise.all(crew.workers.map((worker) => worker.dismiss())), over)
    faults.push(...judge('the observer', (await ask(crew, observer, 'counts', over)).counts))
    await observer.dismiss()
  } catch (error) {
    faults.push(`it did not come to its end: ${error.message}`)
  } finally {
    await crew.end()
  }
  faults.push(...crew.troubles)
  try {
    faults.push(...judge('who opens it anew', await countsOf(url)))
  } catch (error) {
    // Not to hide what went wrong before.
    faults.push(`nobody can open it anew: ${error.message}`)
  }
  const fates = { producers: crew.fates('producer'), workers: crew.fates('worker') }
  const counts = reckon({ ...fates, outages })
  return { ...counts, faults: [...faults, ...counts.faults] }
}

/** For minutes: a kill at every pace, the producer and a stop now and then. */
async function long({ crew, producer, length, observer, over, onProgress, disturb, outages }) {
  const end = performance.now() + length.minutes * 60_000
  let stopping = Promise.resolve()
  let kills = 0
  while (performance.now() < end) {
    await delay(PACE_MS * (0.5 + Math.random()))
    const ready = crew.workers.filter(({ begun }) => begun > 0)
    over.throwIfAborted()
    if (ready.length === 0) continue
    await crew.replace(ready[Math.floor(Math.random() * ready.length)])
    kills++
    if (kills % STOP_EVERY === 0) {
      await stopping
      stopping = stopAWorker({ crew, over, outages })
      stopping.catch(() => {}) // it is awaited: by the next, or below
    }
    if (kills % PRODUCER_EVERY === 0) {
      await producer.kill()
      producer = crew.producer(Infinity)
      const { counts } = await ask(crew, observer, 'counts', over)
      onProgress(`${kills} kills, ${counts.available} waiting, ${counts.running} running`)
    }
    if (kills % DISTURB_EVERY === 0) await disturb()
    if (kills % STORM === 0) await crew.runsBegun(CALM_RUNS, over)
  }
  await stopping
  return producer
}

/** A number of jobs, the kills spread over their runs, one stop in the middle, all by signals. */
async function short({ crew, producer, length, over, disturb, outages }) {
  const { jobs, kills } = length
  let stopping = Promise.resolve()
  for (let kill = 1; kill <= kills; kill++) {
    const member = await crew.runsBegun(Math.floor((jobs * 0.8) / kills), over)
    await crew.replace(member)
    if (kill === 2) {
      await producer.kill()
      const so = reckon({ producers: crew.fates('producer'), workers: [] }).acknowledged
      producer = crew.producer(jobs - so)
    }
    if (kill === 4 || kill === 6) await disturb()
    if (kill === 3) {
      stopping = stopAWorker({ crew, over, outages })
      stopping.catch(() => {}) // it is awaited below
    }
  }
  await stopping
  return producer
}

/**
 * Stops a worker in the middle of a long run, until another has begun that very job. One that is stopped
 * with a lock of the store in its hand keeps everybody out, which is an outage: then it goes on, and another is stopped.
 */
export async function stopAWorker({ crew, over, outages }) {
  for (;;) {
    const { member, message } = await crew.heard((from, { began, takes }) => {
      return began !== undefined && takes >= 100 && from.isFree
    }, over)
    const begins = (from, { began }) => from !== member && began === message.began
    const silence = new AbortController()
    const stopped = AbortSignal.any([over, silence.signal])
    const listen = () => {
      clearTimeout(timer)
      timer = setTimeout(() => silence.abort(), SILENCE_MS)
      return false
    }
    let timer
    listen()
    const from = instant()
    member.stop()
    const began = crew.heard((from, told) => begins(from, told) || listen(), stopped)
    const [heard] = await Promise.allSettled([began])
    clearTimeout(timer)
    member.goOn()
    over.throwIfAborted()
    if (heard.status === 'fulfilled') return
    outages.push({ from, until: instant() })
  }
}

async function ask(crew, observer, question, over) {
  const answered = crew.heard((from, { answer }) => from === observer && answer === question, over)
  observer.child.send(question)
  return (await answered).message
}

/** The picture of one who begins from what is on the disk. */
async function countsOf(url) {
  const mill = millrace(url, { upkeep: false })
  try {
    return await mill.queue(QUEUE).counts()
  } finally {
    await mill.close()
  }
}

function judge(who, counts) {
  const left = Object.entries(counts).filter(([, count]) => count !== 0)
  return left.map(([state, count]) => `${who} sees ${count} ${state} at the end`)
}
