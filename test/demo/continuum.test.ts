// Continuum's own set-up, in short: the same program with two seconds of its stress tester, slower.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../../examples/continuum/main.mjs', import.meta.url))

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-continuum-test-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, TMPDIR: folder } }
    execFile(process.execPath, [program, ...words], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

describe("Continuum's set-up on a maildir", () => {
  it('meets each of the five limits, and adds up', { timeout: 90_000 }, async () => {
    const { code, out, err } = await run('--seconds', '2', '--rate', '100')
    expect(err).toBe('')
    expect(out).toMatch(/message size +PAYLOAD_TOO_LARGE/)
    expect(out).toMatch(/queue length +QUEUE_FULL/)
    expect(out).toMatch(/message lifetime +expired/)
    expect(out).toMatch(/worker timeout +timeout/)
    expect(out).toMatch(/max retries +attempts-spent/)
    expect(out).toContain(
      '400 messages were taken, 0 refused; 396 were done, 7 became dead letters',
    )
    expect(out).toContain('It adds up.')
    expect(code).toBe(0)
  })

  it('refuses another store, in one line', async () => {
    const { code, err } = await run('--store', 'memory:')
    expect(code).toBe(2)
    expect(err.trim().split('\n')).toHaveLength(1)
  })
})
