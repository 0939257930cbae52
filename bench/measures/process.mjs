// How many jobs a second workers get through: jobs that are there before, a handler that does
// nothing. The clock runs from the word "go", when every process has opened the store, to the end
// of the last run; then it is seen that every job ran exactly once and that none is left.
import { fork } from 'node:child_process'
import { Ledger } from '../ledger.mjs'
import { payloads } from '../payload.mjs'

const LOT = 1000
const STATION = new URL('../station.mjs', import.meta.url)

export async function fill(subject, jobs) {
  for (let from = 0; from < jobs; from += LOT) {
    await subject.addMany(payloads(from, Math.min(LOT, jobs - from)))
  }
}

/** `stay`: so many jobs are left to wait, behind those that are run. */
export async function processing(open, { jobs, stay = 0, concurrency, processes = 1 }) {
  let subject = await open()
  await fill(subject, jobs + stay)
  // Whoever works has read the jobs from the store, and did not just write them.
  if (open.subject.store !== 'memory') {
    await subject.close()
    subject = null
  }
  if (processes > 1) return together(open, { jobs, stay, concurrency, processes })
  subject ??= await open()
  const answer = await alone(subject, { jobs, stay, concurrency })
  await subject.close()
  return answer
}

export async function alone(subject, { jobs, stay, concurrency }) {
  const ledger = new Ledger(jobs + stay)
  const cpu = process.cpuUsage()
  const begun = performance.now()
  let ended = begun
  let stop = async () => {}
  await new Promise((resolve) => {
    const run = ({ n }) => {
      ledger.ran(n)
      if (ledger.total === jobs) {
        ended = performance.now()
        resolve()
      }
    }
    stop = subject.work(run, { concurrency })
  })
  const { user, system } = process.cpuUsage(cpu)
  await stop()
  const result = verdict(ledger, ended - begun, { jobs, stay, left: await subject.left() })
  return { ...result, cpuPerJob: (user + system) / jobs }
}

async function together(open, { jobs, stay, concurrency, processes }) {
  const ledger = new Ledger(jobs + stay)
  const asked = { ...open.told, jobs: jobs + stay, concurrency }
  const stations = Array.from({ length: processes }, () => new Station(asked))
  await Promise.all(stations.map((station) => station.heard('ready')))
  const begun = Date.now()
  for (const station of stations) station.tell('go')
  await allRan(stations, jobs)
  for (const station of stations) station.tell('stop')
  const ends = await Promise.all(stations.map((station) => station.heard('ended')))
  for (const { runs } of ends) ledger.add(runs)
  const took = Math.max(...ends.map(({ lastRun }) => lastRun)) - begun
  const subject = await open()
  const left = await subject.left()
  await subject.close()
  const shares = ends.map(({ total }) => total)
  const cpuPerJob = ends.reduce((sum, { cpu }) => sum + cpu, 0) / jobs
  return { ...verdict(ledger, took, { jobs, stay, left }), shares, cpuPerJob }
}

function verdict(ledger, took, { jobs, stay, left }) {
  const { missing, repeated } = ledger.verdict()
  // Workers may fetch or run a little beyond what was waited for, where jobs stay.
  const beyond = ledger.total - jobs
  const isExact = repeated === 0 && missing === stay - beyond && left === stay - beyond
  return { perSecond: (jobs / took) * 1000, usPerJob: (took / jobs) * 1000, isExact, beyond }
}

async function allRan(stations, jobs) {
  await new Promise((resolve) => {
    const look = () => {
      let ran = 0
      for (const station of stations) ran += station.ran
      if (ran >= jobs) resolve()
    }
    for (const station of stations) station.onRan = look
  })
}

/** A worker's process, seen from here. */
export class Station {
  ran = 0
  onRan = () => {}
  #child
  #waiting = new Map()
  #said = new Map()

  constructor(asked) {
    this.#child = fork(STATION, [JSON.stringify(asked)])
    this.#child.on('message', ({ what, ...rest }) => {
      if (what === 'ran') {
        this.ran = rest.total
        this.onRan()
        return
      }
      const resolve = this.#waiting.get(what)
      if (resolve === undefined) this.#said.set(what, rest)
      else resolve(rest)
    })
  }

  tell(what) {
    this.#child.send(what)
  }

  heard(what) {
    const said = this.#said.get(what)
    if (said !== undefined) return Promise.resolve(said)
    return new Promise((resolve, reject) => {
      this.#waiting.set(what, resolve)
      this.#child.once('exit', (code) => reject(new Error(`a worker's process ended: ${code}`)))
    })
  }
}
