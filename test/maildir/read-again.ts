// What a folder says beside what its keeper believes: the folder is read by a second reader, and both
// books are told in the same words.
import { expect } from 'vitest'
import type { Disk } from '../../src/disk/disk.js'
import type { Host } from '../../src/disk/host.js'
import { FREE } from '../../src/job/book/columns.js'
import { digest } from '../../src/job/book/digest.js'
import type { Ledger } from '../../src/job/book/ledger.js'
import { letterOf } from '../../src/stores/maildir/letter-write.js'
import { readFolder } from '../../src/stores/maildir/folder.js'
import { layoutOf } from '../../src/stores/maildir/layout.js'
import { readBook } from '../../src/stores/maildir/reading.js'

export interface AgainAsk {
  readonly disk: Disk
  readonly host: Host
  readonly root: string
  readonly scope: string
}

/** A second book, of what stands in the folder and its log now. */
export async function readAgain({ disk, host, root, scope }: AgainAsk): Promise<Ledger> {
  const layout = layoutOf(root, scope)
  const view = readFolder({ disk, layout, boot: host.boot, fence: 0, isDoubtful: false })
  const pause = async (): Promise<void> => undefined
  const reading = await readBook(view, { host, generation: 0, hostname: 'again', pause })
  expect(reading.damaged).toEqual([])
  expect(view.strangers).toEqual([])
  return reading.book.ledger
}

/** Every job with who holds it, and whatever else is kept; sorted. */
export function wordsOf(ledger: Ledger): string[] {
  const lines: string[] = []
  for (let slot = 0; slot < ledger.columns.used; slot++) {
    if (ledger.columns.state.get(slot) === FREE) continue
    const { token, node, worker, claim } = ledger.holds.get(slot) ?? {}
    lines.push(`${timeless(letterOf(ledger, slot, 0))} ${token} ${node} ${worker} ${claim}`)
  }
  // Jobs were told above; versions, beats and settlements are of the life of a keeper.
  const KEPT = /^(?:key|pause|group|schedule|retired|throttle|grants) /
  lines.push(...digest(ledger).filter((line) => KEPT.test(line)))
  for (const { name, stored } of ledger.queues.values()) {
    if (stored.revision > 0) lines.push(`settings ${name} ${JSON.stringify(stored)}`)
  }
  for (const { card, startedAt } of ledger.nodes.values()) {
    lines.push(`node ${JSON.stringify(card)} ${startedAt}`)
  }
  return lines.sort()
}

/** What is due became so by time alone, whether or not anybody looked. */
function timeless(letter: string): string {
  return letter
    .replace(/"check": "[0-9a-f]+"/, '')
    .replace(/"state": "(?:scheduled|available|retryable)"/, '"state": "waits"')
}

/** Others may go on while the folder is read; what it says is of the moment of the call. */
export async function sameAgain(ledger: Ledger, ask: AgainAsk): Promise<void> {
  const [words, { now }] = [wordsOf(ledger), ledger]
  const again = await readAgain(ask)
  // What is over may be forgotten sooner or later.
  again.now = now
  expect(wordsOf(again)).toEqual(words)
}
