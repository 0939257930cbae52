// The torture of live moves in short, for the suite: to a server and back, with producers and workers on both
// sides, kills of each and of the mover, and a server that is cut off and killed. Longer:
// `npm run torture -- moves`.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { privatePostgres } from '../servers/postgres.js'

const program = fileURLToPath(new URL('../torture/run.mjs', import.meta.url))
const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''
const { isMissing, why } = privatePostgres()
const LEGS = 2

describe.skipIf(isSkipped || isMissing)(`moved to and fro under load${reason}${why}`, () => {
  it(
    'no job is lost, none runs on both sides, and none twice without a reason',
    { timeout: 300_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-moves-'))
      const words = [program, 'moves', '--legs', String(LEGS), '--workers', '1']
      const env = { PATH: process.env.PATH, TMPDIR: folder }
      const [code, told] = await new Promise<[unknown, string]>((resolve) => {
        execFile(process.execPath, words, { env }, (error, out, err) => {
          resolve([error === null ? 0 : error.code, out + err])
        })
      })
      const lines = told.matchAll(/^(\w+) (\d+)$/gm)
      const counts = Object.fromEntries(Array.from(lines, ([, name, n]) => [name, Number(n)]))
      expect(told).toContain('violations 0\n')
      expect(code).toBe(0)
      rmSync(folder, { recursive: true, force: true }) // else it is the evidence
      expect(counts).toMatchObject({ legs: LEGS, lost: 0, unexplained: 0 })
      expect(counts).toMatchObject({ outages: LEGS, kills: 2 * LEGS, producerKills: 2 * LEGS })
      expect(counts.crossed).toBeGreaterThan(LEGS * 140)
      expect(counts.moverKills).toBeGreaterThan(LEGS)
    },
  )
})
