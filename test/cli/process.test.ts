// The program as users run it: real processes on a file store, with pipes and signals.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { finished, start } from './program.js'
import type { Program } from './program.js'

let folder: string
let store: readonly string[]
const started: Program[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  store = ['--store', `file:${join(folder, 'queues')}`]
})
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
})

function module(text: string): string {
  const path = join(folder, 'handler.mjs')
  writeFileSync(path, text)
  return path
}

function work(path: string, ...words: string[]): Program {
  const program = start(['work', path, ...words, ...store])
  started.push(program)
  return program
}

async function json(...words: string[]): Promise<unknown> {
  const { code, out, err } = await finished([...words, '--json', ...store])
  expect(err).toBe('')
  expect(code).toBe(0)
  return JSON.parse(out)
}

describe('work', () => {
  it('runs what was added through a pipe, and drains on SIGTERM', async () => {
    const added = await finished(['add', 'q', '-', ...store], '{"n":1}\n{"n":2}\n{"n":3}\n')
    expect(added).toMatchObject({ code: 0, out: '3 jobs went into q\n' })
    // Each run ends only after the signal came: so the exit below shows that it was waited for.
    const path = module(`
      export const queue = 'q'
      let begun = 0
      const told = new Promise((resolve) => process.once('SIGTERM', resolve))
      export default async ({ n }) => {
        if (++begun === 3) console.log('all begun')
        await told
        return n
      }`)
    const worker = work(path)
    await worker.said('all begun')
    worker.child.kill('SIGTERM')
    const { code, err } = await worker.ended
    expect(code).toBe(0)
    expect(err).toContain('3 completed')
    expect(await json('stats', 'q')).toMatchObject({
      queue: { counts: { available: 0, running: 0 } },
    })
  })

  it('aborts on the second signal and gives back what ran, its attempt with it', async () => {
    await finished(['add', 'q', '1', '--id', 'one', ...store])
    const path = module(`
      export default (payload, job) => new Promise((_, reject) => {
        job.signal.addEventListener('abort', () => reject(job.signal.reason))
        console.log('begun')
      })`)
    const worker = work(path, '--queue', 'q')
    await worker.said('begun')
    worker.child.kill('SIGINT')
    await worker.said('finishing 1 that run')
    worker.child.kill('SIGINT')
    expect((await worker.ended).code).toBe(1)
    expect(await json('show', 'q', 'one')).toMatchObject({ state: 'available', attempt: 0 })
  })

  it('gives back what runs when the time for draining is over, though the handler goes on', async () => {
    await finished(['add', 'q', '1', '--id', 'one', ...store])
    const path = module(`
      export const queue = 'q'
      export default () => new Promise(() => { setInterval(() => {}, 1000); console.log('begun') })`)
    const worker = work(path, '--drain', '1ms')
    await worker.said('begun')
    worker.child.kill('SIGTERM')
    expect((await worker.ended).code).toBe(1)
    expect(await json('show', 'q', 'one')).toMatchObject({ state: 'available', attempt: 0 })
  })

  it('tells each failed attempt and its error, and show has them, too', async () => {
    await finished(['add', 'q', '1', '--id', 'one', ...store])
    const path = module(`
      export const queue = 'q'
      export default () => { throw new TypeError('bad\\u001b[31m luck') }`)
    const worker = work(path)
    await worker.said('one  attempt 1 failed: TypeError: bad\\x1b[31m luck')
    worker.child.kill('SIGTERM')
    expect((await worker.ended).code).toBe(0)
    const shown = await finished(['show', 'q', 'one', ...store])
    expect(shown.out).toMatch(/^ +1 +failed .*TypeError: bad\\x1b/m)
  })

  it('refuses a module without a handler, and one whose queue nobody named', async () => {
    expect(await work(module('export const queue = 1')).ended).toMatchObject({ code: 2 })
    const { code, err } = await work(module('export default () => {}')).ended
    expect(code).toBe(2)
    expect(err).toContain('--queue')
  })
})

describe('a reader that has had enough', () => {
  it('ends the program without a word', async () => {
    await finished(['add', 'q', '-', ...store], '1\n'.repeat(1000))
    const program = start(['list', 'q', '--limit', '1000', ...store])
    started.push(program)
    program.child.stdout?.destroy()
    const { code, err } = await program.ended
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })
})
