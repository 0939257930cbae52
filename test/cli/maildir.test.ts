// The command line on a maildir: that there is none is said and not mended; what doctor sees of one.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { say } from './fake-terminal.js'
import type { Said } from './fake-terminal.js'

let folder: string
let url: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-maildir-'))
  url = `maildir:${join(folder, 'mail')}`
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (...words: readonly string[]): Promise<Said> => say([...words, '--store', url])

describe('the command line on a maildir', () => {
  it('makes none by looking', async () => {
    const { exit, err } = await at('stats')
    expect([exit, err]).toEqual([1, expect.stringContaining('STORE_UNREACHABLE')])
    expect(readdirSync(folder)).toEqual([])
  })

  it('changes nothing by looking: what nobody kept has no keeper by it', async () => {
    await at('add', 'emails', '{"to":"ada"}', '--id', 'a')
    const keeper = join(folder, 'mail', 'default', '.keeper')
    const before = readdirSync(keeper, { recursive: true }).sort()
    const [stats, list, show, explain] = [
      await at('stats'),
      await at('list', 'emails', '--json'),
      await at('show', 'emails', 'a'),
      await at('explain', 'emails', 'a'),
    ]
    expect([stats, list, show, explain].map(({ exit }) => exit)).toEqual([0, 0, 0, 0])
    expect(stats.out).toMatch(/emails +0 +1 /)
    expect(JSON.parse(list.out)).toMatchObject({ jobs: [{ id: 'a', state: 'available' }] })
    expect(show.out).toContain("{ to: 'ada' }")
    expect(explain.out).toContain('no live worker')
    expect(readdirSync(keeper, { recursive: true }).sort()).toEqual(before)
    expect(before).toContain('keeper.1')
  })

  it('looks and changes nothing where the URL says so', async () => {
    await at('add', 'emails', '1')
    await using mill = millrace(`maildir:${folder}/mail?access=look`)
    expect((await mill.queue('emails').counts()).available).toBe(1)
    await expect(mill.queue('emails').enqueue(2)).rejects.toThrow('OPTION_INVALID')
    expect(() => millrace(`maildir:${folder}/mail?access=both`)).toThrow(
      /store URL access.*full.*look/,
    )
  })

  it('finds one well: how many letters lie where, and that nobody keeps it', async () => {
    await at('add', 'emails', '1')
    const { exit, out } = await at('doctor')
    expect(exit).toBe(0)
    expect(out).toMatch(/ok +letters +1 in new/)
    expect(out).toMatch(/ok +keeper +default: nobody now; the last was pid \d+ on .*, generation 1/)
  })

  it('finds who keeps it, and what was put into quarantine', async () => {
    await at('add', 'emails', '1')
    writeFileSync(join(folder, 'mail', 'default', 'emails', 'new', 'stranger.txt'), 'hello')
    await using mill = millrace(url)
    await mill.open()
    const { exit, out } = await at('doctor')
    expect(exit).toBe(1)
    expect(out).toContain(`default: pid ${process.pid} on `)
    expect(out).toMatch(/BAD +quarantine +1 file, each with a .why beside it/)
  })
})
