// Schedules on the file store: replicas agree on them, whoever began from a snapshot too; a slot and
// its job survive a power cut together; and real processes that race, one of them killed, fire each
// second once.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Slot } from '../../src/job/schedule.js'
import { QUEUE, upTo } from '../../src/testing/conformance/build.js'
import {
  EACH_MINUTE,
  MINUTE,
  PlayedScheduler,
  idOf,
  specOf,
} from '../../src/testing/conformance/played-scheduler.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openProcess, quiet } from './machine.js'
import type { Hands } from './machine.js'

const SEGMENT_BYTES = 4 * 1024

describe('replicas', () => {
  it('agree on schedules, whatever is done to them, also from a snapshot', async () => {
    const hands: Hands = { ms: 1_000_000 }
    const host = hostAt(hands, 1)
    const disk = new SimDisk()
    const open = (nonce: string) =>
      openProcess({ disk: disk.fork(), host, nonce, segmentBytes: SEGMENT_BYTES })
    const lived = await open('a')
    const others = [await open('b'), await open('c')]
    const chance = seededChance(5)
    const draw = (sides: number): number => Math.floor(chance.next() * sides)
    for (const step of upTo(150)) {
      hands.ms += draw(MINUTE)
      const { store } = [lived, ...others][draw(3)]
      const scheduler = new PlayedScheduler(store)
      const name = `s${draw(4)}`
      const [row] = (await scheduler.rows()).filter((one) => one.name === name)
      const at = host.wall() + MINUTE - (host.wall() % MINUTE)
      const next: Slot = { at, due: at }
      const revision = row?.revision ?? 0
      const spec = specOf({
        plan: EACH_MINUTE,
        missed: 'all',
        overlap: step % 2 ? 'skip' : 'queue',
      })
      const of = { queue: QUEUE, name }
      switch (draw(6)) {
        case 0:
          await store.plan({ ...of, kind: 'put', revision, spec, next })
          break
        case 1:
          await store.plan({ ...of, kind: 'pause' })
          break
        case 2:
          await store.plan({ ...of, kind: 'resume', revision, next })
          break
        case 3:
          if (draw(4) === 0) await store.plan({ ...of, kind: 'remove' })
          break
        default:
          await scheduler.round()
      }
      if (step % 30 === 29) await quiet()
    }
    const fresh = await open('d')
    const names = disk.list('/mill/default/snap')
    expect(names.some((path) => path.endsWith('.index'))).toBe(true)
    await lived.store.queues({ limit: 1, cursor: null })
    expect(lived.book().filter((line) => /^(schedule|retired) /.test(line)).length).toBeGreaterThan(
      2,
    )
    for (const other of [...others, fresh]) {
      await other.store.queues({ limit: 1, cursor: null })
      expect(other.book()).toEqual(lived.book())
    }
  })
})

describe('a power cut', () => {
  it('leaves a slot that was answered, and its job', async () => {
    const hands: Hands = { ms: 1_000_000 }
    const disk = new SimDisk()
    const { store } = await openProcess({ disk: disk.fork(), host: hostAt(hands, 1), nonce: 'a' })
    const host = hostAt(hands, 1)
    const scheduler = new PlayedScheduler(store)
    await scheduler.put('s', {}, host.wall())
    hands.ms += 90_000
    const [ticked] = await scheduler.round()
    assert.equal(ticked.status, 'fired')
    for (const seed of upTo(20)) {
      const left = disk.crash('any-subset', seededChance(seed))
      const after = await openProcess({ disk: left, host: hostAt(hands, 2), nonce: `b${seed}` })
      const row = await new PlayedScheduler(after.store).row('s')
      assert.ok(row.passed !== null && row.last !== null)
      expect(row.last.job.id).toBe(idOf('s', row.passed))
      const [found] = await after.store.get([row.last.job])
      expect(found?.kind).toBe('job')
      expect(await new PlayedScheduler(after.store).round()).toEqual([])
    }
  })
})

const program = fileURLToPath(new URL('fixtures/scheduled.mjs', import.meta.url))
const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''
const SLOTS = 6

describe.skipIf(isSkipped)(`real processes on one folder${reason}`, () => {
  it('fire each second once, though one is killed', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-schedules-'))
    const jobs = new Map<string, Set<string>>()
    const children: ChildProcess[] = []
    let enough = (): void => undefined
    let failed = (_: Error): void => undefined
    const said = new Promise<void>((resolve, reject) => {
      enough = resolve
      failed = reject
    })
    const listen = (child: ChildProcess): void => {
      if (child.stdout === null) throw new Error('its output is a pipe')
      createInterface(child.stdout).on('line', (line) => {
        const [slot = '', id = ''] = line.split(' ')
        jobs.set(slot, (jobs.get(slot) ?? new Set()).add(id))
        if (jobs.size === SLOTS / 2) children[0].kill('SIGKILL')
        if (jobs.size >= SLOTS) enough()
      })
    }
    try {
      for (const _ of upTo(3)) {
        const stdio = ['ignore', 'pipe', 'inherit'] as const
        const child = spawn(process.execPath, [program, folder], { stdio: [...stdio] })
        children.push(child)
        child.on('exit', (code) => {
          if (code !== null) failed(new Error(`it ended by itself, with ${code}`))
        })
        listen(child)
      }
      await said
    } finally {
      for (const child of children) child.kill('SIGKILL')
    }
    const slots = [...jobs.keys()].map((slot) => Date.parse(slot)).sort((a, b) => a - b)
    expect(slots).toEqual(slots.map((_, at) => slots[0] + at * 1_000))
    for (const [slot, ids] of jobs) expect([slot, ids.size]).toEqual([slot, 1])
    rmSync(folder, { recursive: true, force: true })
  })
})
