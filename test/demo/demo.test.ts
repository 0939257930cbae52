// The demo itself, in short: the same program with the first 60 of its deliveries.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../../examples/webhook-relay/main.mjs', import.meta.url))

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-demo-test-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

function demo(...words: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, TMPDIR: folder } }
    execFile(process.execPath, [program, ...words], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

describe('the demo', () => {
  it('adds up, with a worker killed on the way', { timeout: 60_000 }, async () => {
    const { code, out, err } = await demo('--deliveries', '60')
    expect(err).toBe('')
    expect(out).toMatch(/^kill -9 \d+/m)
    expect(out).toMatch(/ 1 +410 Gone: given up at once/)
    expect(out).toMatch(/ 1 +503 Service Unavailable: all 4 attempts spent/)
    expect(out).toMatch(/ 1 +no answer in time: all 4 attempts spent/)
    // On a machine that is slow at the wrong moment the killed one had just run out of time.
    expect(out).toMatch(/its worker was killed before it could say so|came after the timeout/)
    expect(out).toMatch(/\d+ {2}began in the busiest second, of 25 allowed/)
    expect(out).toMatch(/ [1-9]\d* {2}digests went out by the clock/)
    expect(out).toContain('It adds up: 57 + 3 = 60')
    expect(code).toBe(0)
  })

  it('refuses what it does not understand, in one line', async () => {
    for (const words of [
      ['--frob'],
      ['--deliveries', 'x'],
      ['--deliveries', '0'],
      ['--store', 'memory:'],
    ]) {
      const { code, err } = await demo(...words)
      expect(code).toBe(2)
      expect(err.trim().split('\n')).toHaveLength(1)
    }
  })
})
