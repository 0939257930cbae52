// The commands in this process, on a file store in a folder of each test's own.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { say } from './fake-terminal.js'
import type { Said, Setting } from './fake-terminal.js'

let folder: string
let url: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  url = `file:${join(folder, 'queues')}`
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (words: readonly string[], setting?: Setting): Promise<Said> =>
  say([...words, '--store', url], setting)

async function json<T>(words: readonly string[], setting?: Setting): Promise<T> {
  const { out, err, exit } = await at([...words, '--json'], setting)
  expect(err).toBe('')
  expect(exit).toBe(0)
  return JSON.parse(out) as T
}

interface Listed {
  readonly jobs: readonly {
    readonly id: string
    readonly state: string
    readonly payload: unknown
  }[]
  readonly next: string | null
}

describe('what is not understood ends with 2', () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['frobnicate']],
    ['an unknown option', ['stats', '--frob']],
    ['a missing queue', ['list']],
    ['a payload that is no JSON', ['add', 'q', '{a:1}']],
    ['a time that is none', ['add', 'q', '1', '--at', 'tomorrow']],
    ['a span that is none', ['add', 'q', '1', '--in', '5x']],
    ['both times', ['add', 'q', '1', '--in', '5s', '--at', '2030-01-01']],
    ['a priority out of bounds', ['add', 'q', '1', '--priority', '101']],
    ['a meta that is no object', ['add', 'q', '1', '--meta', '[1]']],
    ['one id for many lines', ['add', 'q', '-', '--id', 'x']],
    ['one key for many lines', ['add', 'q', '-', '--unique', 'x']],
    ['a store of no known kind', ['add', 'q', '1', '--store', 'flie:./q']],
    ['a store that ends with the command', ['add', 'q', '1', '--store', 'memory:']],
    ['a module that is not there', ['work', './nowhere.mjs']],
  ])('%s', async (_, words) => {
    const { exit, err, out } = await say(words, { env: { MILLRACE_URL: url } })
    expect(exit).toBe(2)
    expect(err).not.toBe('')
    expect(out).toBe('')
  })

  it('says so in JSON when asked', async () => {
    for (const words of [['stats', '--frob'], ['list'], ['list', 'q', '--limit', 'x']]) {
      const { err } = await say([...words, '--json'], { env: { MILLRACE_URL: url } })
      expect(JSON.parse(err)).toMatchObject({ error: { message: expect.any(String) } })
    }
  })

  it('also a change of nothing that was named, which changes nothing', async () => {
    await at(['add', 'q', '1'])
    for (const verb of ['retry', 'cancel', 'delete']) {
      const { exit, err } = await at([verb, 'q'])
      expect(exit).toBe(2)
      expect(err).toContain('--all')
    }
    expect((await json<Listed>(['list', 'q'])).jobs).toMatchObject([{ state: 'available' }])
  })
})

describe('a store that is not there', () => {
  it('is made by add and by nothing else', async () => {
    for (const words of [
      ['stats'],
      ['list', 'q'],
      ['show', 'q', 'x'],
      ['retry', 'q', '--all'],
      ['doctor'],
    ]) {
      await at(words)
      expect(existsSync(join(folder, 'queues'))).toBe(false)
    }
    expect((await at(['stats'])).exit).toBe(1)
    expect((await at(['add', 'q', '1'])).exit).toBe(0)
    expect((await at(['stats'])).exit).toBe(0)
  })
})

describe('add', () => {
  it('puts in what was said, and the words reach the job', async () => {
    const words = [
      'add',
      'mail',
      '{"to":"ada"}',
      '--in',
      '1h',
      '--priority',
      'high',
      '--group',
      'g',
    ]
    await at([
      ...words,
      '--tag',
      'a',
      '--tag',
      'b,c',
      '--meta',
      '{"r":1}',
      '--task',
      'greet',
      '--id',
      'one',
    ])
    expect(await json(['show', 'mail', 'one'])).toMatchObject({
      payload: { to: 'ada' },
      state: 'scheduled',
      priority: 10,
      group: 'g',
      tags: ['a', 'b', 'c'],
      meta: { r: 1 },
      task: 'greet',
    })
  })

  it('puts in the same id once', async () => {
    expect(await json(['add', 'q', '1', '--id', 'x'])).toMatchObject({ status: 'enqueued' })
    expect(await json(['add', 'q', '2', '--id', 'x'])).toMatchObject({
      status: 'duplicate',
      id: 'x',
    })
  })

  it('keeps scopes apart', async () => {
    await at(['add', 'q', '1', '--scope', 'here'])
    const there = await say(['stats', '--json', '--store', url], {
      env: { MILLRACE_SCOPE: 'there' },
    })
    expect(JSON.parse(there.out)).toEqual({ queues: [] })
  })

  it('puts in every good line, in order, and tells each bad one by its number', async () => {
    const lines = Array.from({ length: 2500 }, (_, n) => (n === 1200 ? '{oops' : String(n)))
    const { exit, out, err } = await at(['add', 'q', '-'], { input: lines.join('\n') })
    expect(exit).toBe(1)
    expect(out).toBe('2,499 jobs went into q, 1 bad line did not')
    expect(err).toMatch(/^line 1201: not JSON/)
    const { jobs } = await json<Listed>(['list', 'q', '--limit', '1000'])
    const payloads = jobs.map(({ payload }) => payload)
    expect(payloads).toEqual(Array.from({ length: 1000 }, (_, n) => 2499 - n))
  })

  it('lets no line that the queue refuses keep its neighbours out', async () => {
    const mill = millrace(url)
    mill.queue('q', { limits: { payloadBytes: 20 } })
    await mill.queue('q').length()
    await mill.close()
    const input = `1\n"${'x'.repeat(50)}"\n3`
    const { exit, err } = await at(['add', 'q', '-'], { input })
    expect(exit).toBe(1)
    expect(err).toMatch(/^line 2: PAYLOAD_TOO_LARGE/)
    expect((await json<Listed>(['list', 'q'])).jobs.map(({ payload }) => payload)).toEqual([3, 1])
  })

  it('stops at a queue that is full, and says where to go on', async () => {
    const mill = millrace(url)
    mill.queue('q', { limits: { backlog: 3 } })
    await mill.queue('q').length()
    await mill.close()
    const { exit, out, err } = await at(['add', 'q', '-'], { input: '1\n2\n3\n4\n5\n' })
    expect(exit).toBe(1)
    expect(out).toBe('3 jobs went into q')
    expect(err).toMatch(/stopped before line 4: QUEUE_FULL.*tail -n \+4/)
  })

  it('gives up on what is no file of JSON lines', async () => {
    const { exit, err } = await at(['add', 'q', '-'], { input: 'no\n'.repeat(1000) })
    expect(exit).toBe(1)
    expect(err.split('\n').length).toBeLessThan(30)
    expect(err).toContain('stopped before line 101')
  })
})

describe('list', () => {
  it('gives all pages, each job once', async () => {
    await at(['add', 'q', '-'], { input: Array.from({ length: 25 }, (_, n) => n).join('\n') })
    const seen: unknown[] = []
    let after: readonly string[] = []
    for (;;) {
      const { jobs, next } = await json<Listed>(['list', 'q', '--limit', '10', ...after])
      seen.push(...jobs.map(({ payload }) => payload))
      if (next === null) break
      after = ['--after', next]
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => 24 - n))
  })

  it('shows what all given filters let through', async () => {
    await at(['add', 'q', '"ada"', '--tag', 'vip', '--group', 'g', '--task', 't'])
    await at(['add', 'q', '"bob"', '--tag', 'vip', '--in', '1h'])
    const ids = async (...words: string[]): Promise<unknown[]> =>
      (await json<Listed>(['list', 'q', ...words])).jobs.map(({ payload }) => payload)
    expect(await ids('--tag', 'vip')).toEqual(['bob', 'ada'])
    expect(await ids('--tag', 'vip', '--state', 'scheduled')).toEqual(['bob'])
    expect(await ids('--state', 'scheduled,available')).toEqual(['bob', 'ada'])
    expect(await ids('--group', 'g')).toEqual(['ada'])
    expect(await ids('--task', 't')).toEqual(['ada'])
    expect(await ids('--search', 'bo')).toEqual(['bob'])
  })

  it('colours nothing unless it may', async () => {
    await at(['add', 'q', '1'])
    expect((await at(['list', 'q'])).out).not.toContain('\x1b')
    expect((await at(['list', 'q'], { colour: true })).out).toContain('\x1b')
  })
})

describe('changes', () => {
  it('touch what was named and nothing else', async () => {
    for (const id of ['a', 'b', 'c']) await at(['add', 'q', '1', '--id', id])
    expect(await json(['cancel', 'q', 'a', 'b'])).toEqual({ queue: 'q', cancelled: 2 })
    expect(await json(['retry', 'q', '--state', 'cancelled'])).toEqual({ queue: 'q', retried: 2 })
    expect(await json(['delete', 'q', '--all'])).toEqual({ queue: 'q', deleted: 3 })
  })

  it('fail when a job that was named is untouched', async () => {
    await at(['add', 'q', '1', '--id', 'a'])
    const { exit, out, err } = await at(['cancel', 'q', 'a', 'nobody'])
    expect(exit).toBe(1)
    expect(out).toBe('1 job cancelled')
    expect(err).toContain('1 job of q untouched')
  })
})

describe('pause and resume', () => {
  it('hold a queue, a group or everything back, and tell so', async () => {
    await at(['add', 'q', '1', '--group', 'g'])
    expect((await at(['pause', 'q'])).out).toBe('q is paused')
    expect((await at(['stats'])).out).toMatch(/PAUSED[^]*paused/)
    expect(await json(['pause', 'q', '--group', 'g'])).toEqual({
      ...{ queue: 'q', group: 'g', paused: true },
    })
    expect((await at(['pause', '--all', '--wait'])).out).toBe('everything is paused')
    for (const words of [['--all'], ['q'], ['q', '--group', 'g']]) {
      const mill = millrace(url)
      expect(await mill.queue('q').take()).toBeNull()
      await mill.close()
      expect((await at(['resume', ...words])).exit).toBe(0)
    }
    const mill = millrace(url)
    expect(await mill.queue('q').take()).not.toBeNull()
    await mill.close()
    expect((await at(['stats'])).out).not.toContain('PAUSED')
  })

  it('end with 1 when what runs does not end in time, and with 2 when nothing is named', async () => {
    await at(['add', 'q', '1'])
    const mill = millrace(url)
    await mill.queue('q').take()
    const { exit, err } = await at(['pause', 'q', '--wait', '100ms'])
    expect([exit, err]).toEqual([1, expect.stringContaining('PAUSE_TIMEOUT')])
    expect(await mill.queues()).toMatchObject([{ paused: false }])
    await mill.close()
    for (const words of [[], ['q', '--all'], ['--all', '--group', 'g'], ['q', '--wait', 'soon']]) {
      expect((await at(['pause', ...words])).exit).toBe(2)
    }
  })
})

describe('show and stats', () => {
  it('fail for what is not there, and say so in JSON when asked', async () => {
    await at(['add', 'q', '1'])
    for (const words of [
      ['show', 'q', 'nobody'],
      ['explain', 'q', 'nobody'],
      ['explain', 'nobody'],
      ['stats', 'nobody'],
    ]) {
      const { exit, out, err } = await at([...words, '--json'])
      expect([exit, out]).toEqual([1, ''])
      const message = expect.stringContaining('"nobody"') as string
      expect(JSON.parse(err)).toMatchObject({ error: { message } })
      const plain = await at(words)
      expect([plain.exit, plain.out]).toEqual([1, ''])
      expect(plain.err).toContain('millrace: there is no')
    }
  })

  it('tell the steps of an attempt, the first few by name', async () => {
    const mill = millrace(url)
    const queue = mill.queue('q', { attempts: 1 })
    const { id } = await queue.enqueue(1)
    const held = await queue.take()
    for (const name of ['charge', 'mail', 'c', 'd', 'e', 'f', 'g']) await held?.step(name, () => 1)
    await held?.fail(new Error('no'))
    await mill.close()
    const { out } = await at(['show', 'q', id])
    expect(out).toMatch(/WORKER +STEPS +ERROR/)
    expect(out).toContain('charge, mail, c, d, e and 2 more')
    expect(await json(['show', 'q', id])).toMatchObject({
      history: [{ steps: ['charge', 'mail', 'c', 'd', 'e', 'f', 'g'] }],
    })
  })

  it('tell what a job comes after', async () => {
    const mill = millrace(url)
    const parent = await mill.queue('parts').enqueue(1, { id: 'wheel' })
    const { id } = await mill.queue('q').enqueue(1, { after: [parent] })
    await mill.close()
    const { out } = await at(['show', 'q', id])
    expect(out).toContain('comes after')
    expect(out).toContain('parts wheel available')
    expect(await json(['show', 'q', id])).toMatchObject({
      state: 'waiting',
      parents: [{ queue: 'parts', id: 'wheel', state: 'available' }],
    })
  })

  it('tell settings and counts of one queue', async () => {
    const mill = millrace(url)
    await mill.queue('q', { attempts: 3 }).enqueue(1)
    await mill.close()
    expect(await json(['stats', 'q'])).toMatchObject({
      queue: { name: 'q', counts: { available: 1 } },
      settings: { declared: { attempts: 3 } },
      workers: [],
    })
    expect((await at(['stats'])).out).toMatch(/QUEUE .*AVAILABLE/)
  })
})

describe('doctor', () => {
  interface Examined {
    readonly ok: boolean
    readonly findings: readonly { about: string; state: string; text: string }[]
  }
  const state = async (about: string): Promise<string | undefined> => {
    const { out } = await at(['doctor', '--json'])
    return (JSON.parse(out) as Examined).findings.find((one) => one.about === about)?.state
  }

  it('finds a new store well', async () => {
    await at(['add', 'q', '1'])
    const { exit, out } = await at(['doctor'])
    expect(out).not.toMatch(/^BAD/m)
    expect(exit).toBe(0)
  })

  it('finds folders that others may write to', async () => {
    await at(['add', 'q', '1'])
    chmodSync(join(folder, 'queues', 'default', 'log'), 0o777)
    expect(await state('permissions')).toBe('bad')
    expect((await at(['doctor'])).exit).toBe(1)
  })

  it('finds a format that it does not know, and leaves the store alone', async () => {
    await at(['add', 'q', '1'])
    const path = join(folder, 'queues', 'FORMAT')
    writeFileSync(path, 'millrace-file 99 0123456789abcdef\n')
    expect(await state('format')).toBe('bad')
    expect(await state('reach')).toBeUndefined()
  })

  it('finds bytes of the log that are not what was written', async () => {
    const mill = millrace(url)
    for (const text of ['first', 'second', 'third']) await mill.queue('q').enqueue(text)
    await mill.close()
    expect(await state('log')).toBe('ok')
    const path = join(folder, 'queues', 'default', 'log', '00000001.log')
    const bytes = readFileSync(path)
    bytes.write('F', bytes.indexOf('first'))
    writeFileSync(path, bytes)
    expect(await state('log')).toBe('bad')
  })

  it('takes what a crash left at the end of the log for no damage', async () => {
    await at(['add', 'q', '1'])
    const path = join(folder, 'queues', 'default', 'log', '00000001.log')
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes, bytes.subarray(0, 30)]))
    expect(await state('log')).toBe('ok')
  })

  it('counts what is in quarantine', async () => {
    await at(['add', 'q', '1'])
    const quarantine = join(folder, 'queues', 'default', 'quarantine')
    mkdirSync(quarantine, { recursive: true })
    writeFileSync(join(quarantine, 'x.strange'), 'x', { mode: 0o600 })
    writeFileSync(join(quarantine, 'x.strange.why'), 'why', { mode: 0o600 })
    expect(await state('quarantine')).toBe('bad')
    expect((await at(['doctor'])).out).toContain('1 file, each with a .why')
  })
})
