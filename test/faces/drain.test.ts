// `drainOn` in a process of its own: a signal ends it, and nothing that ran is lost by it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import type { Millrace } from '../../src/index.js'
import { startScript } from '../cli/program.js'
import type { Program } from '../cli/program.js'

const BUILT = new URL('../../dist/index.js', import.meta.url).href

let folder: string
let mill: Millrace<'file'>
let worker: Program | null = null

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-drain-'))
  mill = millrace(`file:${join(folder, 'queues')}`)
})
afterEach(async () => {
  worker?.child.kill('SIGKILL')
  await worker?.ended
  worker = null
  await mill.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A worker of two slots. `told` settles at the first signal. */
function working(handler: string): Program {
  const path = join(folder, 'worker.mjs')
  const url = JSON.stringify(`file:${join(folder, 'queues')}`)
  writeFileSync(
    path,
    `import { millrace } from ${JSON.stringify(BUILT)}
    const mill = millrace(${url}, { drainOn: ['SIGTERM'] })
    const told = new Promise((resolve) => process.once('SIGTERM', resolve))
    let begun = 0
    mill.queue('q').work((payload, job) => {
      if (++begun === 2) console.log('both begun')
      return (${handler})(payload, job)
    }, { concurrency: 2 })
    told.then(() => console.log('told'))`,
  )
  return (worker = startScript(path))
}

describe('a process that drains on SIGTERM', () => {
  it('finishes what runs, takes nothing more, and ends by itself', async () => {
    const queue = mill.queue<number, number>('q')
    const jobs = await queue.enqueueMany([1, 2, 3])
    const program = working('async (n) => (await told, n * 10)')
    await program.said('both begun')
    program.child.kill('SIGTERM')
    const { code, err } = await program.ended
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(await jobs[0].result()).toBe(10)
    expect(await jobs[1].result()).toBe(20)
    expect(await queue.get(jobs[2].id)).toMatchObject({ state: 'available', attempt: 0 })
    expect(await mill.workers()).toEqual([])
  })

  // Elsewhere a dead process is known by its silence only, after its lease of 30 s.
  const seesTheDead = process.platform === 'linux'

  it.runIf(seesTheDead)('is ended at once by the second signal; others get its jobs', async () => {
    const queue = mill.queue<number>('q')
    await queue.enqueueMany([1, 2])
    const program = working('() => new Promise(() => setInterval(() => {}, 1000))')
    await program.said('both begun')
    program.child.kill('SIGTERM')
    await program.said('told')
    program.child.kill('SIGTERM')
    await program.ended
    expect(program.child.signalCode).toBe('SIGTERM')
    expect(await queue.counts()).toMatchObject({ running: 2 })
    expect(await mill.sweep()).toMatchObject({ freed: 2 })
    expect(await queue.list({ state: 'available' })).toMatchObject([
      { history: [{ outcome: 'lost' }] },
      { history: [{ outcome: 'lost' }] },
    ])
  })
})
