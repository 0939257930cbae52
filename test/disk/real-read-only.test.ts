// A file system that is mounted read-only: a maildir is looked at all the same, and whatever would write
// is refused in words that say why, by every store on files.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileOf, inNamespace, whyNoMounts } from './mounts.js'

const main = fileOf('../../dist/cli/main.js')

/** What each call says on either stream, and then its code. */
const LINE = [
  'mount -t tmpfs -o size=20m tmpfs "$2"',
  'node "$1" add q "{}" --store "$3$2/jobs" > "$2/added" 2>&1 || cat "$2/added"',
  'mount -o remount,ro "$2"',
  'node "$1" list q --store "$3$2/jobs" 2>&1; echo "list: $?"',
  'node "$1" add q "{}" --store "$3$2/jobs" 2>&1; echo "add: $?"',
].join('\n')

let place: string

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'millrace-read-only-'))
})
afterEach(() => rmSync(place, { recursive: true }))

async function calls(scheme: string): Promise<{ list: string; add: string }> {
  const said = (await inNamespace(LINE, [main, place, scheme])).join('\n')
  const [list, add] = said.split(/^list: /m)
  return { list: `${list}${add.slice(0, 1)}`, add: add.slice(2) }
}

describe.skipIf(whyNoMounts !== '')(
  `a read-only file system${whyNoMounts}`,
  { timeout: 120_000 },
  () => {
    it('has a maildir looked at, and what would write to it refused', async () => {
      const { list, add } = await calls('maildir:')
      expect(list).toMatch(/available[^]*0$/)
      expect(add).toMatch(/STORE_UNREACHABLE[^]*may write to[^]*Make it writable/)
      expect(add).toMatch(/add: 1$/)
      // Each try would say it again.
      expect(add).not.toMatch(/survive/)
    })

    it.each(['file:', 'sqlite:'])(
      'is refused by %s, which works on nothing that it may not write to',
      async (scheme) => {
        const { list, add } = await calls(scheme)
        for (const said of [list, add]) expect(said).toMatch(/STORE_UNREACHABLE[^]*EROFS[^]*1$/)
      },
    )
  },
)
