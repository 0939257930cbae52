// The processes of the torture, and what was done to them: who was killed when, who was stopped
// from when to when, and who ended by itself though nobody asked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { instant } from './ledger.mjs'

const BACKLOG = 1_500
const WARNINGS =
  /^(\(node:\d+\) \[(?:STORE_UNREACHABLE|OUTCOME_UNKNOWN)\] MillraceWarning: .*\n|\(Use `node --trace.*\n)+$/

/** One process; `fate` grows while it lives and is what the reckoning reads. */
class Member {
  constructor({ program, words, ledger, name, url, mayEnd, onMessage, onTrouble }) {
    const path = fileURLToPath(new URL(program, import.meta.url))
    this.child = spawn(process.execPath, [path, ...words], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.fate = { name, pid: this.child.pid, ledger, url, killedAt: null, stops: [] }
    this.begun = 0
    this.isAsked = false
    this.child.on('message', (message) => onMessage(this, message))
    let said = ''
    this.child.stderr.setEncoding('utf8').on('data', (text) => (said += text))
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.how = { code, signal }
      const isFate =
        signal === 'SIGKILL'
          ? this.fate.killedAt !== null
          : signal === 'SIGTERM' // before it could hear it
            ? this.isAsked
            : code === 0 && mayEnd(this)
      // An outage that nobody listens to is a warning, as it should be.
      const isOnlyWarned = WARNINGS.test(said)
      if (!isFate || (said !== '' && !isOnlyWarned))
        onTrouble(`${name} ended with ${signal ?? code}: ${said.trim()}`)
    })
  }

  get isAlive() {
    return this.how === undefined
  }

  /** Mid-stop it is left alone, else its fate would be of two kinds. */
  get isFree() {
    return this.isAlive && this.fate.killedAt === null && this.fate.stops.at(-1)?.until !== null
  }

  async kill() {
    this.fate.killedAt = instant()
    this.child.kill('SIGKILL')
    await this.ended
  }

  stop() {
    this.fate.stops.push({ from: instant(), until: null })
    this.child.kill('SIGSTOP')
  }

  goOn() {
    this.fate.stops.at(-1).until = instant()
    this.child.kill('SIGCONT')
  }

  async dismiss() {
    this.isAsked = true
    if (this.isAlive) this.child.kill('SIGTERM')
    await this.ended
  }

  end() {
    if (this.isAlive) this.child.kill('SIGKILL')
    return this.ended
  }
}

export class Crew {
  #folder
  #url
  #programs
  #serial = 0
  #hearers = new Set()
  members = []
  troubles = []

  /** `programs`: what its workers and producers run. */
  constructor(folder, url, programs = { worker: 'worker.mjs', producer: 'producer.mjs' }) {
    this.#folder = folder
    this.#url = url
    this.#programs = programs
  }

  /** `url`: of a store beside the one that it is all about. */
  worker(url = this.#url) {
    const name = `worker-${++this.#serial}`
    return this.#start(name, url, this.#programs.worker, (ledger) => [url, ledger])
  }

  producer(jobs, url = this.#url, backlog = BACKLOG) {
    const name = `producer-${++this.#serial}`
    const numbers = [jobs, backlog].map(String)
    const words = (ledger) => [url, ledger, `p${this.#serial}`, ...numbers]
    return this.#start(name, url, this.#programs.producer, words)
  }

  observer() {
    return this.#start('observer', this.#url, 'observer.mjs', () => [this.#url])
  }

  get workers() {
    return this.members.filter(({ fate, isFree }) => isFree && fate.name.startsWith('worker'))
  }

  fates(kind) {
    return this.members.map(({ fate }) => fate).filter(({ name }) => name.startsWith(kind))
  }

  /** Resolves with the first that fits of what members say from now on; rejects when aborted. */
  heard(fits, signal) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#hearers.delete(hear)
        signal.removeEventListener('abort', fail)
      }
      const hear = (member, message) => {
        if (!fits(member, message)) return
        stop()
        resolve({ member, message })
      }
      const fail = () => {
        stop()
        reject(signal.reason)
      }
      this.#hearers.add(hear)
      signal.addEventListener('abort', fail)
      if (signal.aborted) fail()
    })
  }

  /** Answers when so many runs have begun from now on: whoever began the last of them. */
  async runsBegun(runs, signal) {
    let left = runs
    const isLast = (from, { began }) => began !== undefined && --left <= 0 && from.isFree
    return (await this.heard(isLast, signal)).member
  }

  async replace(worker) {
    await worker.kill()
    this.worker(worker.fate.url)
  }

  /** Whoever still lives ends now, stopped or not. */
  end() {
    return Promise.all(this.members.map((member) => member.end()))
  }

  #start(name, url, program, words) {
    const ledger = join(this.#folder, `${name}.log`)
    const member = new Member({
      ...{ program, words: words(ledger), ledger, name, url },
      mayEnd: ({ isAsked }) => isAsked || name.startsWith('producer'), // it ends when all is enqueued
      onMessage: (from, message) => {
        if (message.began !== undefined) from.begun++
        for (const hear of [...this.#hearers]) hear(from, message)
      },
      onTrouble: (text) => this.troubles.push(text),
    })
    this.members.push(member)
    return member
  }
}
