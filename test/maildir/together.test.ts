// Real processes on one maildir: one keeps it, the others are served by it, and when it is killed one
// of them follows. Each waits for what another says, never for time.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from 'millrace'
import { say } from '../cli/fake-terminal.js'
import { Member } from '../file/members.js'

const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** Where it counts, a skip would hide the proof: there the missing dist is a failure. */
const isSkipped = !existsSync(dist) && process.env.CI !== 'true'
const reason = isSkipped ? ' (skipped: there is no dist, run npm run build first)' : ''
const LIVE = ['--live', '--producers-stopped']
const WORKER = '../../maildir/programs/worker.mjs'

let folder: string
let members: Member[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
  members = []
})
afterEach(async () => {
  await Promise.all(members.map((member) => member.end()))
  rmSync(folder, { recursive: true, force: true })
})

async function worker(name: string): Promise<Member> {
  const member = new Member(WORKER, [`${folder}/mail`, name])
  members.push(member)
  await member.heard('ready')
  return member
}

function keepers(): string[] {
  const names = readdirSync(`${folder}/mail/default/.keeper`)
  return names.filter((name) => name.startsWith('keeper.'))
}

function asks(): number {
  const names = readdirSync(`${folder}/mail/default/.keeper/post`)
  return names.filter((name) => name.endsWith('.ask')).length
}

/** What other processes do in the folder. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

describe.skipIf(isSkipped)(`processes on one maildir${reason}`, { timeout: 120_000 }, () => {
  it('enqueue and hear results through the keeper, to whom they are strangers', async () => {
    await worker('only')
    await using mill = millrace(`maildir:${folder}/mail`)
    const queue = mill.queue<object, string>('work')
    const jobs = await Promise.all([{}, {}, {}].map((payload) => queue.enqueue(payload)))
    const results = await Promise.all(jobs.map((job) => job.result({ timeout: '60s' })))
    expect(results).toEqual(['only 1', 'only 1', 'only 1'])
    expect(keepers()).toEqual(['keeper.1'])
  })

  it('answer a unique key and a pause as the keeper does', async () => {
    await worker('only')
    await using mill = millrace(`maildir:${folder}/mail`)
    const queue = mill.queue('work')
    await queue.pause()
    const unique = { key: 'k' }
    const first = await queue.enqueue({}, { unique })
    const second = await queue.enqueue({}, { unique })
    expect([first.status, second.status, second.id]).toEqual(['enqueued', 'duplicate', first.id])
    expect((await queue.counts()).available).toBe(1)
  })

  it('move all of it elsewhere and back, while its keeper works', async () => {
    await worker('only')
    const [mail, table] = [`maildir:${folder}/mail`, `sqlite:${folder}/jobs.db`]
    {
      await using mill = millrace(mail)
      const queue = mill.queue('work')
      await queue.pause()
      const words = { meta: { at: new Date(0) }, tags: ['t'], unique: { key: 'k' }, group: 'g' }
      const first = await queue.enqueue({ big: 2n ** 70n, none: undefined }, words)
      await queue.enqueue({ x: Infinity }, { in: '1h', after: [first] })
    }
    for (const [from, to] of [
      [mail, table],
      [table, mail],
    ]) {
      const { exit, out } = await say(['copy', '--from', from, '--to', to, ...LIVE])
      expect([exit, out]).toMatchObject([0, expect.stringMatching(/^2 jobs moved/)])
    }
    await using mill = millrace(mail)
    const [first] = await mill.queue('work').list({ state: 'available' })
    expect(first).toMatchObject({ payload: { big: 2n ** 70n }, tags: ['t'], group: 'g' })
    expect(await mill.queue('work').counts()).toMatchObject({ available: 1, waiting: 1 })
  })

  it('look at the folder themselves while its keeper is stopped, and are served again when it goes on', async () => {
    const first = await worker('first')
    await using mill = millrace(`maildir:${folder}/mail`)
    const queue = mill.queue<object, string>('work')
    const job = await queue.enqueue({ holdsFirst: true })
    await first.heard('holds')
    first.stop()
    expect((await queue.counts()).running).toBe(1)
    expect((await queue.list({ states: ['running'] })).map(({ id }) => id)).toEqual([job.id])
    expect((await mill.queues()).map(({ name }) => name)).toEqual(['work'])
    first.goOn()
    expect((await queue.enqueue({}, { unique: { key: 'k' } })).status).toBe('enqueued')
    expect(keepers()).toEqual(['keeper.1'])
  })

  it('find what they delivered themselves, though they looked before and the keeper is stopped', async () => {
    const first = await worker('first')
    await using mill = millrace(`maildir:${folder}/mail`)
    await mill.queue<object, string>('work').enqueue({ holdsFirst: true })
    await first.heard('holds')
    // Letters follow answers: where there is no folder yet nothing can be delivered.
    await until(() => existsSync(join(folder, 'mail', 'default', 'work', 'new')))
    await using other = millrace(`maildir:${folder}/mail`)
    const queue = other.queue<object, string>('work')
    await other.open()
    first.stop()
    expect((await queue.counts()).running).toBe(1)
    const late = await queue.enqueue({})
    expect((await queue.get(late.id))?.state).toBe('available')
    first.goOn()
    expect(await late.result({ timeout: '60s' })).toBe('first 1')
  })

  it('see what they delivered, though the letter of somebody else brings the keeper to look', async () => {
    const first = await worker('first')
    await using mill = millrace(`maildir:${folder}/mail`)
    await using other = millrace(`maildir:${folder}/mail`)
    await mill.queue<object, string>('work').enqueue({ holdsFirst: true })
    await first.heard('holds')
    await until(() => existsSync(join(folder, 'mail', 'default', 'work', 'new')))
    const queue = other.queue<object, string>('work')
    await queue.counts()
    first.stop()
    const theirs = mill.queue('work').get('nothing')
    await until(() => asks() === 1)
    const job = await queue.enqueue({})
    const ours = queue.get(job.id)
    await until(() => asks() === 2)
    first.goOn()
    expect(await theirs).toBeNull()
    expect((await ours)?.state).toBe('available')
    expect(await job.result({ timeout: '60s' })).toBe('first 1')
  })

  it('follow a keeper that is killed: what it held runs again elsewhere, once', async () => {
    const first = await worker('first')
    await using mill = millrace(`maildir:${folder}/mail`)
    const job = await mill.queue<object, string>('work').enqueue({ holdsFirst: true })
    expect(await first.heard('holds')).toBe(job.id)
    await worker('second')
    await first.end()
    expect(await job.result({ timeout: '60s' })).toBe('second 2')
    expect(keepers()).toEqual(['keeper.2'])
  })
})
