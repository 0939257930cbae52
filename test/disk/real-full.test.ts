// A file system that is really full: jobs that were taken are there, what runs can still be ended, and
// whoever opens it after a kill, full as it is, works it off.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileOf, inNamespace, whyNoMounts } from './mounts.js'

const program = fileOf('programs/full.mjs')

/** The first is killed by itself, at the end of what it has to say. */
const LINE = [
  'mount -t tmpfs -o size=6m tmpfs "$2"',
  'node "$1" fill "$3$2/jobs" "$2" || echo "{\\"code\\":$?}"',
  'node "$1" after "$3$2/jobs" "$2"',
].join('\n')
const KILLED = 128 + 9

/** Each mounts its own file system there, which the other does not see. */
let place: string

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'millrace-full-'))
})
afterAll(() => rmSync(place, { recursive: true }))

describe.skipIf(whyNoMounts !== '')(
  `a file system that is full${whyNoMounts}`,
  { timeout: 120_000 },
  () => {
    it.concurrent.each(['file:', 'maildir:'])(
      '%s refuses, ends what runs, loses nothing, is worked off',
      async (scheme) => {
        const lines = await inNamespace(LINE, [program, place, scheme])
        // Each line is what one step saw; what is told on the way may come between.
        const seen = lines.map(
          (line): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>,
        )
        expect(seen.filter(({ failed }) => failed !== undefined)).toEqual([])
        const [first, second, killed, found, worked, last] = seen.filter(
          ({ told }) => told === undefined,
        )
        const taken = first.taken as string[] // as: the program says it so
        expect(taken.length).toBeGreaterThan(100)
        expect(first.refusal).toMatchObject({
          code: 'STORE_UNREACHABLE',
          message: expect.stringMatching(/full.*make room/is) as string,
        })
        expect(second.results).toEqual(Array.from({ length: 20 }, (_, n) => n))
        expect(killed).toEqual({ code: KILLED })
        expect(found).toEqual({ available: taken.length, completed: 0, held: 0 })
        expect(worked.left).toEqual(taken)
        expect(last).toEqual({ again: 'enqueued' })
      },
    )
  },
)
