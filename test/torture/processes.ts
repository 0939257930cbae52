// The torture in short, for the suite: real worker processes on one store, killed with -9 while they run
// jobs, one of them stopped past its lease. `npm run torture -- <store>` does the same for minutes. Every
// kill waits for runs that began, so nothing here leans on time but the lease itself.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('run.mjs', import.meta.url))
const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''

export interface Processes {
  readonly store: 'file' | 'sqlite' | 'postgres'
  readonly jobs: number
  readonly kills: number
  /** How often the store itself is disturbed; one that is stopped with its lock in hand does it, too. */
  readonly outages: number
  /** Verdicts that come too late, at least [0]: a table's locks may make whoever stood still wait. */
  readonly late?: number
  /** Why it cannot be run; '': it can. */
  readonly why?: string
}

export function describeProcesses(asked: Processes): void {
  const { store, jobs, kills, outages, late = 0, why = '' } = asked
  const skips = isSkipped || why !== ''
  describe.skipIf(skips)(`workers that die at random on one ${store} store${reason}${why}`, () => {
    let folder: string
    let code: unknown
    let told: string
    let counts: ReadonlyMap<string, number>

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-processes-'))
      const words = [program, store, '--jobs', String(jobs), '--kills', String(kills)]
      const { PATH, NODE_OPTIONS } = process.env
      const env = { PATH, NODE_OPTIONS, TMPDIR: folder }
      told = await new Promise((resolve) => {
        execFile(process.execPath, words, { env }, (error, out, err) => {
          code = error === null ? 0 : error.code
          resolve(out + err)
        })
      })
      const lines = told.matchAll(/^(\w+) (\d+)$/gm)
      counts = new Map(Array.from(lines, ([, name, count]) => [name, Number(count)]))
    }, 180_000)
    afterAll(() => {
      if (code === 0) rmSync(folder, { recursive: true, force: true }) // else it is the evidence
    })

    const count = (name: string): number => counts.get(name) ?? NaN

    it('lose no job that was acknowledged, and run none that nobody asked for', () => {
      expect(told).toContain('violations 0\n')
      expect(code).toBe(0)
      expect(count('lost')).toBe(0)
      expect(count('acknowledged')).toBe(jobs)
      expect(count('completions')).toBeGreaterThanOrEqual(jobs)
    })

    it('run a job twice only when a kill, a stop, an outage or its own failure explains it', () => {
      expect(count('unexplained')).toBe(0)
      expect(count('kills')).toBe(kills)
      expect(count('producerKills')).toBe(1)
      expect(count('outages')).toBeGreaterThanOrEqual(outages)
      expect(count('byKill')).toBeGreaterThan(0)
    })

    it('change nothing by the late verdicts of one that was stopped past its lease', () => {
      expect(count('stops')).toBeGreaterThan(0)
      expect(count('byStop')).toBeGreaterThan(0)
      expect(count('late')).toBeGreaterThanOrEqual(late)
    })
  })
}
