// A step that was done is not done again, although its worker was killed right after it: with real
// processes on one folder.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type * as MillraceModule from '../../src/index.js'

const dist = new URL('../../dist/index.js', import.meta.url)
const program = fileURLToPath(new URL('./programs/stepper.mjs', import.meta.url))

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''

let child: ChildProcess | null = null
const folder = mkdtempSync(join(tmpdir(), 'millrace-steps-'))
afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(isSkipped)(`a worker that is killed between two steps${reason}`, () => {
  it('leaves the first one done, and the next worker goes on from there', async () => {
    const url = `file:${folder}/queues` as const
    const ledger = join(folder, 'ledger')
    const { millrace } = (await import(dist.href)) as typeof MillraceModule // as: the same module, compiled
    const mill = millrace(url)
    const queue = mill.queue('payments', { keep: { completed: '1d' } })
    const job = await queue.enqueue({ amount: 5 })
    const ended = new Promise<unknown>((resolve) => {
      child = fork(program, [url, ledger, 'dies']).once('exit', (_, signal) => resolve(signal))
    })
    expect(await ended).toBe('SIGKILL')
    expect(readFileSync(ledger, 'utf8')).toBe('charged\n')
    const completed = new Promise<unknown>((resolve) => {
      child = fork(program, [url, ledger, 'lives']).once('message', resolve)
    })
    expect(await completed).toBe('completed')
    expect(readFileSync(ledger, 'utf8')).toBe('charged\nmailed\n')
    const { result, history } = (await queue.get(job.id)) ?? {}
    expect(result).toEqual({ charge: 1, mail: 2 })
    expect(history?.map(({ outcome, steps }) => [outcome, steps])).toEqual([
      ['lost', ['charge']],
      ['completed', ['mail']],
    ])
    await mill.close()
  })
})
