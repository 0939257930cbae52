// The torture of live moves: real producers and workers on both sides while `millrace copy --live` moves
// everything from one store to the other, and back, leg after leg. Workers, producers and the mover itself
// are killed with -9, the server is cut off and killed; the way is turned round wherever the mover stands.
// Every deed waits for jobs that have crossed, never for a guess about time. The reckoning is that of the
// other tortures: a job that ran on both sides, or twice, needs a reason as anywhere.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { millrace } from '../../dist/index.js'
import { Crew } from './crew.mjs'
import { instant, readLedger } from './ledger.mjs'
import { endOf, within } from './limit.mjs'
import { stopAWorker } from './ordeal.mjs'
import { QUEUE } from './plan.mjs'
import { reckon } from './reckoning.mjs'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const LEG_MS = 60_000 // at most, for one leg of the short form
const DRAIN_MS = 120_000
const BACKLOG = 300 // on each side
const MANY = 100 // jobs that are seen to run on the other side before the next deed
const SOME = 40
const STOP_EVERY = 3 // legs of the long form
const REFUSED = 6 // connections, when all are cut
/** `length` is `{ minutes }` or `{ legs }`. Answers counts and `faults`, as the ordeal does. */
export async function moves({ folder, from, to, server, proxy, workers, length, onProgress }) {
  const isLong = length.minutes !== undefined
  const time = isLong ? length.minutes * 60_000 : length.legs * LEG_MS
  const over = endOf(time + DRAIN_MS)
  const crew = new Crew(folder, from)
  const mover = new Mover()
  const outages = []
  const faults = []
  let legs = 0
  try {
    for (const url of [from, to]) {
      for (let n = 0; n < workers; n++) crew.worker(url)
      crew.producer(Infinity, url, BACKLOG)
    }
    await crew.runsBegun(MANY, over)
    const end = performance.now() + time
    const goesOn = () => (isLong ? performance.now() < end : legs < length.legs)
    let way = [from, to]
    for (; goesOn(); way = way.toReversed()) {
      const disturb = () => disturbed({ server, proxy, url: to, outages, isCut: legs % 2 === 0 })
      await leg({ crew, mover, way, over, outages, disturb, isLong, number: legs++ })
      onProgress(`${legs} legs, ${mover.kills} kills of the mover`)
    }
    const producers = crew.members.filter(({ fate, isAlive }) => {
      return isAlive && fate.name.startsWith('producer')
    })
    await within(Promise.all(producers.map((producer) => producer.dismiss())), over)
    way = way.toReversed() // the last one, to its end
    await within(mover.toTheEnd(...way), over)
    await drained(way[1], over)
    await within(Promise.all(crew.workers.map((worker) => worker.dismiss())), over)
  } catch (error) {
    faults.push(`it did not come to its end: ${error.message}`)
  } finally {
    await mover.end()
    await crew.end()
  }
  faults.push(...crew.troubles, ...mover.troubles)
  for (const url of [from, to]) faults.push(...(await leftIn(url)))
  const fates = { producers: crew.fates('producer'), workers: crew.fates('worker') }
  const reckoned = reckon({ ...fates, outages })
  const counts = { legs, moverKills: mover.kills, crossed: crossings(crew), ...reckoned }
  return { ...counts, faults: [...faults, ...reckoned.faults] }
}

/**
 * From one side to the other, until somebody turns it round. A new producer at each beginning: what crosses
 * of it was moved by this very mover.
 */
async function leg({ crew, mover, way, over, outages, disturb, isLong, number }) {
  const [here, there] = way
  const begin = async () => {
    mover.start(here, there)
    const { fate } = await anotherProducer(crew, here)
    return (count) => mover.while(seenToCross(crew, fate.name, there, count, over))
  }
  const crossed = await begin()
  const last = await crossed(MANY)
  if (last.isFree) await crew.replace(last)
  await mover.kill()
  const crossedAgain = await begin()
  await crossedAgain(SOME)
  const stopping = isLong && number % STOP_EVERY === 0 ? stopAWorker({ crew, over, outages }) : null
  stopping?.catch(() => {}) // it is awaited below
  const idle = crew.workers.find(({ fate }) => fate.url === here)
  if (idle !== undefined) await crew.replace(idle)
  await disturb()
  await crossedAgain(SOME)
  await stopping
  if (number % 2 === 0) await mover.kill()
  else await mover.stop()
}

async function anotherProducer(crew, url) {
  const producer = crew.members.find(({ fate, isFree }) => {
    return isFree && fate.url === url && fate.name.startsWith('producer')
  })
  await producer.kill()
  return crew.producer(Infinity, url, BACKLOG)
}

/** The server is cut off from everybody for a moment, or killed and started again. */
async function disturbed({ server, proxy, url, outages, isCut }) {
  const from = instant()
  if (isCut) {
    proxy.script('connect', ...Array.from({ length: REFUSED }, () => ({ kind: 'refuse' })))
    const met = proxy.met('refuse')
    proxy.inflict({ kind: 'reset-before' })
    await met
    proxy.heal()
  } else {
    await server.kill()
    await server.start()
  }
  outages.push({ from, until: instant(), url })
}

/** Resolves when so many jobs of this producer began there: with who began the last of them. */
async function seenToCross(crew, producer, there, count, over) {
  let left = count
  const isLast = ({ fate }, { began, key }) => {
    return began !== undefined && fate.url === there && isOf(producer, key) && --left <= 0
  }
  return (await crew.heard(isLast, over)).member
}

/** Whether the key is one that this producer gave. */
function isOf(producer, key) {
  return key.startsWith(`p${producer.split('-')[1]}.`)
}

/** How many jobs ran on the other side than that on which they were enqueued. */
function crossings(crew) {
  const crossed = new Set()
  const producers = crew.fates('producer')
  const homeOf = (key) => producers.find(({ name }) => isOf(name, key))?.url
  for (const { ledger, url } of crew.fates('worker')) {
    for (const [what, id, , , key] of existsSync(ledger) ? readLedger(ledger) : []) {
      if (what === 'start' && homeOf(key) !== url) crossed.add(id)
    }
  }
  return crossed.size
}

/** `millrace copy --live`, one at a time. */
class Mover {
  #child = null
  #ended = null
  kills = 0
  moved = 0
  troubles = []

  start(from, to, how = ['--follow']) {
    const words = ['copy', '--from', from, '--to', to, '--live', '--json', ...how]
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (err += text))
    this.#child = child
    this.#ended = once(child, 'close').then(([code, signal]) => {
      this.#child = null
      return { code, signal, out, err }
    })
  }

  /** Whatever is waited for, but not longer than the mover lives. */
  async while(promise) {
    const ended = this.#ended.then(({ code, signal, err }) => {
      throw new Error(`the mover ended by itself with ${signal ?? code}: ${err.trim()}`)
    })
    ended.catch(() => {}) // it ends some day, when nobody waits any more
    promise.catch(() => {})
    return Promise.race([promise, ended])
  }

  async kill() {
    this.#child?.kill('SIGKILL')
    this.kills++
    await this.#ended
  }

  /** By SIGTERM: it ends what it has begun, and says how it stands. */
  async stop() {
    this.#child?.kill('SIGTERM')
    this.#heed(await this.#ended, 'stopped')
  }

  async toTheEnd(from, to) {
    this.start(from, to, [])
    const { isDrained, refused, unmovable } = this.#heed(await this.#ended, 'at its end')
    if (!isDrained) {
      const left = JSON.stringify({ refused, unmovable })
      this.troubles.push(`the mover left something in the source: ${left.slice(0, 500)}`)
    }
  }

  #heed({ code, signal, out, err }, when) {
    const said = `${when}, the mover ended with ${signal ?? code}: ${err.trim()}`
    if (code !== 0) this.troubles.push(said)
    const report = out === '' ? {} : JSON.parse(out)
    this.moved += report.moved ?? 0
    return report
  }

  async end() {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }
}

async function drained(url, over) {
  const mill = millrace(url, { upkeep: false })
  try {
    for (;;) {
      const { scheduled, available, retryable, waiting, running } = await mill.queue(QUEUE).counts()
      if (scheduled + available + retryable + waiting + running === 0) return
      await delay(50, undefined, { signal: over })
    }
  } finally {
    await mill.close()
  }
}

/** What is left, as one sees it who begins from what is on the disk. */
async function leftIn(url) {
  const mill = millrace(url, { upkeep: false })
  try {
    const counts = Object.entries(await mill.queue(QUEUE).counts())
    return counts
      .filter(([, count]) => count !== 0)
      .map(([state, count]) => {
        return `${url} has ${count} ${state} at the end`
      })
  } finally {
    await mill.close()
  }
}
