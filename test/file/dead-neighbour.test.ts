// A process that was killed on this host is noticed at once by whoever claims, long before its lease
// or the next regular sweep: on a simulated disk and virtual time, and with real processes.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type * as Built from '../../src/index.js'
import type { Asked } from '../../src/engine/engine.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import type { Host } from '../../src/disk/host.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { sleep } from '../../src/time/clock.js'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'
import { COMPLETE, insert, newJob, rig, working } from '../engine/harness.js'
import type { Rig } from '../engine/harness.js'

const POLL = 2_000
/** Regular sweeps come after twenty minutes at the earliest, so none of them is the one that finds it. */
const RARE = { lease: 3_600_000, beat: 1_200_000 }
const never = () => new Promise<Asked>(() => undefined)

/** One host: its processes share a disk and a clock, and it knows which of them are dead. */
class Machine {
  readonly clock = new VirtualClock()
  /** How often it was asked whether one lives. */
  asked = 0
  readonly #disk = new SimDisk({ now: () => this.clock.wall() })
  readonly #dead = new Set<string>()
  #started = 0

  process(options: { readonly upkeep?: boolean } = {}): Rig & { readonly proof: string } {
    const seed = ++this.#started
    const proof = `process ${seed}`
    const parts = { disk: this.#disk.fork(), host: this.#host(proof), chance: seededChance(seed) }
    const store = openableFileStore({ path: '/mill' }, parts)
    const common = { clock: this.clock, poll: POLL, ...RARE, wrap: () => store }
    return { ...rig({ ...common, seed, ...options }), proof }
  }

  /** It says nothing more, and the host knows. */
  kill({ scripted, proof }: { readonly scripted: Rig['scripted']; readonly proof: string }): void {
    for (const verb of ['beat', 'check', 'exchange', 'enlist'] as const) {
      scripted.failBefore(verb, 10_000)
    }
    this.#dead.add(proof)
  }

  #host(proof: string): Host {
    return {
      ...{ boot: 'virtual', proof, up: () => this.clock.mono(), wall: () => this.clock.wall() },
      liveness: (of) => {
        this.asked++
        if (of == null) return 'unknown'
        return this.#dead.has(of) ? 'dead' : 'alive'
      },
    }
  }
}

describe('a process that is killed', () => {
  it('is noticed by an idle neighbour within one poll, which tells it once and runs its jobs', async () => {
    const machine = new Machine()
    const doomed = machine.process({ upkeep: false })
    await insert(doomed.engine, newJob('x', { timeout: Infinity }))
    doomed.engine.start(working(never))
    await machine.clock.advance(10)
    const [idle, other] = [machine.process(), machine.process()]
    for (const { engine } of [idle, other]) engine.start(working(() => COMPLETE))
    await machine.clock.advance(60_000)
    expect(idle.told('job.started')).toEqual([])
    machine.kill(doomed)
    await machine.clock.advance(POLL + 10)
    const all = [...idle.events, ...other.events]
    const told = (type: string) => all.filter((event) => event.type === type)
    expect(told('worker.lost')).toMatchObject([{ running: 1 }])
    expect(told('job.lost')).toMatchObject([{ id: 'x', attempt: 1 }])
    expect(told('job.completed')).toMatchObject([{ id: 'x', attempt: 2 }])
  })

  it('is noticed as soon by a busy neighbour, whose claims never come back empty', async () => {
    const machine = new Machine()
    const doomed = machine.process({ upkeep: false })
    await insert(doomed.engine, newJob('x', { priority: 10, timeout: Infinity }))
    doomed.engine.start(working(never, { concurrency: 1 }))
    await machine.clock.advance(10)
    const busy = machine.process()
    const jobs = Array.from({ length: 500 }, (_, at) => newJob(`job-${at}`))
    await insert(busy.engine, ...jobs)
    const slow = () => sleep(machine.clock, 50).then(() => COMPLETE)
    busy.engine.start(working(slow, { concurrency: 1 }))
    await machine.clock.advance(3_000)
    machine.kill(doomed)
    await machine.clock.advance(POLL)
    expect(busy.told('job.lost')).toMatchObject([{ id: 'x' }])
    expect(busy.told('worker.lost')).toHaveLength(1)
    expect(busy.told('job.completed').map((event) => event.id)).toContain('x')
    expect(busy.told('job.completed').length).toBeLessThan(jobs.length)
  })

  it('costs the living one question a second for each that holds jobs, and nothing when none does', async () => {
    const machine = new Machine()
    const [holder, looker] = [
      machine.process({ upkeep: false }),
      machine.process({ upkeep: false }),
    ]
    looker.engine.start(working(() => COMPLETE))
    holder.engine.start(working(never))
    await machine.clock.advance(60_000)
    expect(machine.asked).toBe(0)
    await insert(holder.engine, newJob('x', { queue: 'other', timeout: Infinity }))
    holder.engine.start(working(never, { queue: 'other' }))
    await machine.clock.advance(10)
    const before = machine.asked
    for (let at = 0; at < 400; at++) {
      await insert(looker.engine, newJob(`job-${at}`))
      await machine.clock.advance(25)
    }
    expect(looker.told('job.completed').length).toBeGreaterThan(300)
    expect(machine.asked - before).toBeGreaterThan(5)
    expect(machine.asked - before).toBeLessThanOrEqual(11)
  })
})

const program = fileURLToPath(new URL('./fixtures/poisoned.mjs', import.meta.url))
const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''

describe.skipIf(isSkipped)(`real processes on one folder${reason}`, () => {
  let folder: string
  const children: ChildProcess[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-killed-'))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  /** A worker that runs jobs until one kills it. */
  const worker = (): ChildProcess => {
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'ignore', 2] })
    children.push(child)
    return child
  }

  // The lease is an hour, and a regular sweep comes after twenty minutes: only looking finds it.
  it('a job that kills each of its workers ends discarded, each crash told by the next worker', async () => {
    // All processes run one build.
    const { millrace } = (await import(dist)) as typeof Built // as: built from it
    const mill = millrace(`file:${folder}`, { lease: '1h', beat: '20m', upkeep: false })
    try {
      const queue = mill.queue('poison', { attempts: 3 })
      const job = await queue.enqueue({ kills: true })
      for (let attempt = 1; attempt <= 3; attempt++) {
        const [code, signal] = (await once(worker(), 'exit')) as unknown[] // as: what Node says it tells
        expect([attempt, code, signal]).toEqual([attempt, null, 'SIGKILL'])
      }
      worker()
      await expect(job.result({ timeout: '40s' })).rejects.toMatchObject({ code: 'JOB_DISCARDED' })
      const found = await queue.get(job.id)
      expect(found?.history.map(({ attempt, outcome }) => [attempt, outcome])).toEqual([
        [1, 'lost'],
        [2, 'lost'],
        [3, 'lost'],
      ])
    } finally {
      await mill.close()
    }
  }, 60_000)
})
