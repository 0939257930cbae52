// `millrace explain` on a file store: a job, a queue, and what is not there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { say } from './fake-terminal.js'
import type { Said } from './fake-terminal.js'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-explain-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (...words: readonly string[]): Promise<Said> =>
  say([...words, '--store', `file:${join(folder, 'queues')}`])

describe('explain', () => {
  it('tells the gates of a job, one a line, and of its queue', async () => {
    await at('add', 'mail', '1', '--id', 'now')
    await at('add', 'mail', '2', '--id', 'later', '--in', '1h')
    const later = await at('explain', 'mail', 'later')
    expect(later.exit).toBe(0)
    expect(later.out).toMatch(/^mail later scheduled\n {2}not due: in (1h|59m)/)
    const queue = await at('explain', 'mail')
    expect(queue.exit).toBe(0)
    expect(queue.out).toContain('mail  1 scheduled, 1 available; next is now')
    expect(queue.out).toContain('no live worker takes task default: the queue has none')
  })

  it('answers the same in JSON', async () => {
    await at('add', 'mail', '1', '--id', 'now')
    const { out } = await at('explain', 'mail', 'now', '--json')
    expect(JSON.parse(out)).toEqual({
      state: 'available',
      gates: [{ kind: 'no-worker', task: 'default', workers: 0 }],
      ahead: 0,
    })
  })

  it('ends with 1 for what is not there', async () => {
    await at('add', 'mail', '1')
    for (const words of [['nowhere'], ['mail', 'nobody']]) {
      const { exit, err } = await at('explain', ...words)
      expect(exit).toBe(1)
      expect(err).toContain(words.at(-1))
    }
  })
})
