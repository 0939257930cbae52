// Real processes on one folder, doing together what one promises alone. Each waits for what another
// says, never for time; the long forms of some are `npm run torture -- claims` and `-- block`.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Member, torture } from './members.js'

const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''

let folder: string
let url: string
let members: Member[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-together-'))
  url = `file:${folder}/queues`
  members = []
})
afterEach(async () => {
  await Promise.all(members.map((member) => member.end()))
  rmSync(folder, { recursive: true, force: true })
})

function start(program: string, ...words: readonly string[]): Member {
  const member = new Member(program, [url, ...words])
  members.push(member)
  return member
}

describe.skipIf(isSkipped)(`processes on one folder${reason}`, { timeout: 120_000 }, () => {
  it('claim one job at a time without keeping each other from it: sixteen of them', async () => {
    const { code, counts, told } = await torture(folder, ['claims', '--jobs', '480'])
    expect(told).toContain('violations 0\n')
    expect(code).toBe(0)
    expect(counts.get('taken')).toBe(480)
    expect(counts.get('least')).toBeGreaterThan(0)
    expect(counts.get('named')).toBeGreaterThanOrEqual(480)
  })

  it('keep a job while its handler holds the event loop for five leases', async () => {
    const { code, counts, told } = await torture(folder, ['block', '--leases', '5'])
    expect(told).toContain('violations 0\n')
    expect(code).toBe(0)
    expect(counts.get('runs')).toBe(1)
    expect(counts.get('completions')).toBe(1)
    expect(counts.get('sweeps')).toBeGreaterThan(0)
  })

  it('discard a job that kills its worker each time, and none of its neighbours', async () => {
    const producer = start('poisoner.mjs')
    const { poison, neighbours } = await producer.heard<{ poison: string; neighbours: string[] }>(
      'poison',
    )
    let deaths = 0
    for (let worker = start('victim.mjs'); ; worker = start('victim.mjs')) {
      const end = await Promise.race([worker.ended, producer.heard<string>('discarded')])
      if (typeof end === 'string') break
      expect(end).toEqual({ code: null, signal: 'SIGKILL' })
      deaths++
    }
    const { attempts, completed } = await producer.heard<{ attempts: number; completed: string[] }>(
      'completed',
    )
    expect(deaths).toBe(3)
    expect(attempts).toBe(3)
    expect(completed.sort()).toEqual([...neighbours].sort())
    expect(completed).not.toContain(poison)
  })

  it('hand results to those who asked for them', async () => {
    const worker = start('answerer.mjs')
    const askers = [start('asker.mjs', 'a'), start('asker.mjs', 'b')]
    for (const asker of askers) {
      const { results, failure } = await asker.heard<{ results: number[]; failure: string }>(
        'results',
      )
      expect(results).toEqual([0, 1, 4, 9, 16])
      expect(failure).toBe('JOB_DISCARDED')
    }
    expect(await worker.dismiss()).toEqual({ code: 0, signal: null })
  })

  it('run jobs in the order in which they were put in, by whomever', async () => {
    const producers = ['a', 'b', 'c'].map((name) => start('producer.mjs', name))
    await Promise.all(producers.map((one) => one.heard('ready')))
    for (const one of producers) one.send('go')
    type Put = { readonly key: string; readonly asked: string; readonly acknowledged: string }
    const puts = (await Promise.all(producers.map((one) => one.heard<Put[]>('puts')))).flat()
    const { order } = await start('runner.mjs', String(puts.length)).heard<{ order: string[] }>(
      'order',
    )
    expect([...order].sort()).toEqual(puts.map(({ key }) => key).sort())
    const place = new Map(order.map((key, at) => [key, at]))
    let ordered = 0
    for (const first of puts) {
      for (const second of puts) {
        if (BigInt(first.acknowledged) >= BigInt(second.asked)) continue
        ordered++
        expect(Number(place.get(first.key))).toBeLessThan(Number(place.get(second.key)))
      }
    }
    // What one process awaits is ordered at least.
    expect(ordered).toBeGreaterThanOrEqual((3 * (60 * 59)) / 2)
  })

  it('wake an idle one that would not look for an hour', async () => {
    const sleeper = start('sleeper.mjs')
    await sleeper.heard('ready')
    const waker = start('waker.mjs')
    const { woken } = await waker.heard<{ woken: number }>('woken')
    expect(woken).toBe(12)
  })
})
