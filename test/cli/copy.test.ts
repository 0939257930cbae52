// `millrace copy`, `export` and `import` as they are said, on real folders and files.
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { sharedPostgres } from '../servers/postgres.js'
import { say } from './fake-terminal.js'

let folder: string
let from: string
let to: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-copy-'))
  from = `file:${join(folder, 'queues')}`
  to = `sqlite:${join(folder, 'jobs.db')}`
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function fill(): Promise<void> {
  const lines = [1, 2, 3].map((n) => JSON.stringify({ n })).join('\n')
  await say(['add', 'emails', '-', '--store', from, '--group', 'g'], { input: lines })
  await say(['add', 'reports', '{"∞":"\\u001e"}', '--store', from, '--in', '1h'])
  await say(['pause', 'reports', '--store', from])
}

async function counts(store: string): Promise<unknown> {
  const { out } = await say(['stats', '--store', store, '--json'])
  return (JSON.parse(out) as { queues: { name: string; counts: object }[] }).queues
}

describe('millrace copy', () => {
  it('tells what went over, and may be said again', async () => {
    await fill()
    const { exit, out, err } = await say(['copy', '--from', from, '--to', to])
    expect([exit, err]).toEqual([0, ''])
    expect(out).toMatch(/^emails: 3 pending; digest [0-9a-f]{12}\nreports: 1 pending; digest/)
    expect(out).toMatch(/4 jobs of file:.*queues are in sqlite:.*jobs\.db, and the same there$/)
    const again = await say(['copy', '--from', from, '--to', to])
    expect([again.exit, again.out]).toEqual([0, 'nothing to do'])
    expect(again.err).toMatch(/emails was copied before, and is open since: left alone/)
    const report = await say(['copy', '--from', from, '--to', to, '--again', '--json'])
    expect(JSON.parse(report.out)).toMatchObject({ present: 4, loaded: 0, stopped: null })
  })

  it.each(['sqlite', 'file', 'maildir'])(
    'never moves a store of %s onto itself by a link',
    async (kind) => {
      await fill()
      const [one, alias] = ['one', 'alias'].map((name) => `${kind}:${join(folder, name)}`)
      await say(['copy', '--from', from, '--to', one])
      symlinkSync(join(folder, 'one'), join(folder, 'alias'))
      const { exit, err } = await say(['copy', '--from', one, '--to', alias, '--live'])
      expect(exit, err).toBeGreaterThan(0)
      expect(await counts(one)).toEqual(await counts(from))
    },
  )

  it('goes into a maildir, and back out of it', async () => {
    await fill()
    const mail = `maildir:${join(folder, 'mail')}`
    const there = await say(['copy', '--from', from, '--to', mail])
    expect([there.exit, there.err]).toEqual([0, ''])
    expect(there.out).toMatch(/are in maildir:.*mail, and the same there$/)
    const back = await say(['copy', '--from', mail, '--to', to])
    expect([back.exit, back.err]).toEqual([0, ''])
    expect(await counts(to)).toEqual(await counts(from))
  })

  it('counts receipts as what they are', async () => {
    await fill()
    const mill = millrace(from as 'file:./q')
    const [held] = await mill.queue('emails').take({ limit: 1 })
    await held.complete({ sent: true })
    await mill.close()
    const { out } = await say(['copy', '--from', from, '--to', to])
    expect(out).toMatch(/^emails: (1 receipt, 2 pending|2 pending, 1 receipt); digest/)
    expect(out).toMatch(/\n3 jobs of file:/)
  })

  it('says which node still runs jobs, with 1', async () => {
    await fill()
    const mill = millrace(from as 'file:./q')
    const [held] = await mill.queue('emails').take({ limit: 1 })
    const { exit, err } = await say(['copy', '--from', from, '--to', to])
    expect(exit).toBe(1)
    expect(err).toMatch(/not copied: node .* \(process \d+ on .*\) runs 1 job: stop its workers/)
    await held.release()
    await mill.close()
  })

  it('refuses what makes no sense', async () => {
    await fill()
    const same = await say(['copy', '--from', from, '--to', from])
    expect([same.exit, same.err]).toMatchObject([2, expect.stringMatching(/another store/)])
    const nowhere = await say(['copy', '--from', `${from}-not`, '--to', to])
    expect([nowhere.exit, nowhere.err]).toMatchObject([1, expect.stringMatching(/no such folder/)])
    const follow = await say(['copy', '--from', from, '--to', to, '--follow'])
    expect([follow.exit, follow.err]).toMatchObject([2, expect.stringMatching(/--live/)])
  })

  it('moves live, closes the source, and tells a later job where its queue went', async () => {
    await fill()
    const { exit, out, err } = await say(['copy', '--from', from, '--to', to, '--live'])
    expect([exit, out.split(' from ')[0]]).toEqual([0, '4 jobs moved'])
    expect(err).toMatch(/the source is empty, and its gates stay closed/)
    await say(['add', 'emails', '4', '--store', from])
    const explained = await say(['explain', 'emails', '--store', from])
    expect(explained.out).toMatch(/its queue is moving to sqlite:.*jobs\.db, since /)
    const more = await say(['copy', '--from', from, '--to', to, '--live', '--json'])
    expect(JSON.parse(more.out)).toMatchObject({ moved: 1, isDrained: true })
    expect(await counts(to)).toMatchObject([
      { name: 'emails', counts: { available: 4 } },
      { name: 'reports', counts: { scheduled: 1 } },
    ])
    const back = await say(['copy', '--from', to, '--to', from, '--live'])
    expect([back.exit, back.out.split(' from ')[0]]).toEqual([0, '5 jobs moved'])
    const here = await say(['explain', 'emails', '--store', from])
    expect(here.out).not.toMatch(/moving|arriving/)
  })
})

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`between schemas of one database${server.why}`, () => {
  it('goes from one to the other, and never onto itself', async () => {
    await fill()
    const one = await server.database()
    const other = `${one}?schema=other`
    await say(['copy', '--from', from, '--to', one])
    const { exit, out, err } = await say(['copy', '--from', one, '--to', other, '--live'])
    expect([exit, err]).toMatchObject([0, expect.stringMatching(/the source is empty/)])
    expect(out).toMatch(/^4 jobs moved from postgres:\/\/[^?]*to postgres:\/\/.*\?schema=other/)
    expect(await counts(other)).toEqual(await counts(from))
    const alias = one.replace(/^postgres(ql)?:/, 'postgresql:')
    const same = await say(['copy', '--from', one, '--to', `${alias}?schema=millrace`])
    expect([same.exit, same.err]).toMatchObject([2, expect.stringMatching(/another store/)])
    expect(await counts(other)).toEqual(await counts(from))
  })

  it('never goes onto itself by another address: all would be gone', async () => {
    await fill()
    const one = await server.database()
    await say(['copy', '--from', from, '--to', one])
    const alias = one.replace('127.0.0.1', 'localhost')
    expect(alias).not.toBe(one)
    for (const how of [[], ['--live']]) {
      const { exit, err } = await say(['copy', '--from', one, '--to', alias, ...how])
      expect([exit, err]).toMatchObject([2, expect.stringMatching(/another store/)])
    }
    expect(await counts(one)).toEqual(await counts(from))
    // Another scope is another place.
    const inside = await say(['copy', '--from', one, '--to', alias, '--to-scope', 'inside'])
    expect([inside.exit, inside.err]).toEqual([0, ''])
  })
})

describe('millrace export and import', () => {
  it('carry everything through a file', async () => {
    await fill()
    const written = await say(['export', '--from', from])
    expect([written.exit, written.err]).toEqual([0, '4 jobs on 8 lines'])
    const { exit, out } = await say(['import', '--to', to], { input: written.out })
    expect([exit, out]).toMatchObject([0, expect.stringMatching(/4 jobs of the export of file:/)])
    expect(await counts(to)).toEqual(await counts(from))
    const back = await say(['export', '--from', to])
    const items = (text: string): string[] => text.split('\n').slice(1, -1)
    expect(
      items(back.out).map((line) => line.replace(/"transit":.*?},"has/, '"transit":null,"has')),
    ).toEqual(items(written.out))
  })

  it.each([
    ['a word that nobody knows', 3, (line: string) => line.replace('"group"', '"gruop"')],
    ['no JSON', 3, (line: string) => line.slice(1)],
    ['another state', 4, (line: string) => line.replace('"available"', '"fine"')],
    ['a job of no kind', 5, (line: string) => line.replace('"job"', '"jobs"')],
    ['a changed payload', 7, (line: string) => line.replace('"pending":3', '"pending":2')],
  ])('refuse %s by its line, and start nothing', async (_, at, spoil) => {
    await fill()
    const { out } = await say(['export', '--from', from])
    const lines = out.split('\n')
    expect(spoil(lines[at])).not.toBe(lines[at])
    const spoilt = lines.map((line, n) => (n === at ? spoil(line) : line)).join('\n')
    const { exit, err } = await say(['import', '--to', to], { input: spoilt })
    expect([exit, err]).toMatchObject([1, expect.stringMatching(new RegExp(`line ${at + 1}:`))])
    const mill = millrace(to as 'sqlite:./jobs.db')
    expect(await mill.queue('emails').take()).toBe(null)
    await mill.close()
    const { exit: mended } = await say(['import', '--to', to], { input: out })
    expect(mended).toBe(0)
    expect(await counts(to)).toEqual(await counts(from))
  })

  it('refuse a file that was cut short, and one of others', async () => {
    await fill()
    const { out } = await say(['export', '--from', from])
    const cut = out.split('\n').slice(0, 4).join('\n')
    expect((await say(['import', '--to', to], { input: cut })).err).toMatch(/it was cut short/)
    const other = await say(['import', '--to', to], { input: '{"to":"ada@example.com"}' })
    expect([other.exit, other.err]).toMatchObject([1, expect.stringMatching(/line 1: .*no header/)])
    const newer = out.replace('"version":1', '"version":2')
    expect((await say(['import', '--to', to], { input: newer })).err).toMatch(/version 2/)
  })
})
