// A folder is a public place: whatever somebody puts there, breaks there or takes away, the store
// opens or says why not, tells what it found, and nothing foreign is ever run.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newJob } from '../../src/testing/conformance/build.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import type { Store } from '../../src/store.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openProcess, quiet, ROOT } from './machine.js'
import type { Process } from './machine.js'

let home: string
let root: string
let warnings: string[]
let opened: Store[]

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'millrace-hostile-'))
  root = join(home, 'store')
  warnings = []
  opened = []
})
afterEach(async () => {
  for (const store of opened) await Promise.allSettled([store.close()])
  rmSync(home, { recursive: true })
})

const at = (...names: string[]): string => join(root, 'default', ...names)
const SEGMENT = '00000001.log'

async function open(segmentBytes = 1024 * 1024): Promise<Store> {
  const warn = (message: string): void => {
    if (!message.includes('survive a crash of the process')) warnings.push(message)
  }
  // Syncs would be most of the time here, and prove nothing.
  const store = openableFileStore({ path: root, durability: 'process' }, { warn, segmentBytes })
  opened.push(store)
  await store.open({ scope: 'default' })
  return store
}

async function put(store: Store, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    const [answers] = await store.insert([{ jobs: [newJob(id)] }])
    expect(answers).toEqual([{ status: 'inserted', id }])
  }
}

async function ids(store: Store): Promise<string[]> {
  const page = { limit: 1_000, cursor: null }
  return (await store.list({ queue: 'q', which: {}, page })).items.map(({ id }) => id).sort()
}

/** Things that are no file of ours, and how to make them. */
const THINGS: Readonly<Record<string, (path: string) => void | Promise<void>>> = {
  'a link to a file': (path) => {
    writeFileSync(join(home, 'secret'), 'secret')
    symlinkSync(join(home, 'secret'), path)
  },
  'a link to nothing': (path) => symlinkSync(join(home, 'nothing'), path),
  'a link to itself': (path) => symlinkSync(path, path),
  'a folder': (path) => mkdirSync(path),
  'a pipe': (path) => void execFileSync('mkfifo', [path]),
  'a socket': (path) =>
    new Promise<void>((resolve) => {
      const server = createServer()
      server.listen(path.length < 100 ? path : join(home, 's'), () => {
        if (path.length >= 100) renameSync(join(home, 's'), path)
        server.unref()
        resolve()
      })
    }),
  garbage: (path) => writeFileSync(path, Buffer.alloc(5_000, 0xa5), { mode: 0o600 }),
  'an empty file': (path) => writeFileSync(path, '', { mode: 0o600 }),
}

const STRANGE_NAMES = [
  '..x',
  '...',
  'new\nline',
  '-rf',
  '$(touch pwned)',
  'ünï ☃ \u202e',
  '00000001.log~',
  '99999999999999999999.log.bak',
  'x'.repeat(255),
  '.hidden',
]

describe('a folder in which something foreign lies', () => {
  for (const [thing, make] of Object.entries(THINGS)) {
    it(`rolls past ${thing} where the next segment is to be`, async () => {
      const store = await open(2_000)
      await put(store, 'first')
      await make(at('log', '00000002.log'))
      for (let job = 0; job < 30; job++) await put(store, `job-${job}`)
      await store.close()
      const again = await open(2_000)
      expect((await ids(again)).length).toBe(31)
      expect(readdirSync(at('log')).length).toBeGreaterThan(1)
      if (thing === 'a link to a file')
        expect(readFileSync(join(home, 'secret'), 'utf8')).toBe('secret')
      if (thing !== 'garbage' && thing !== 'an empty file') {
        expect(warnings.join()).toMatch(/00000002\.log was put into quarantine/)
        expect(readdirSync(at('quarantine')).some((name) => name.endsWith('.why'))).toBe(true)
      }
    })

    it(`says what is wrong when ${thing} is in place of a segment`, async () => {
      const store = await open()
      await put(store, 'first')
      await store.close()
      renameSync(at('log', SEGMENT), join(home, 'kept'))
      await make(at('log', SEGMENT))
      if (thing === 'garbage' || thing === 'an empty file') {
        await put(await open(), 'second')
      } else {
        await expect(open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
        rmSync(at('log', SEGMENT), { recursive: true })
        renameSync(join(home, 'kept'), at('log', SEGMENT))
        expect(await ids(await open())).toEqual(['first'])
      }
    })

    it(`is not disturbed by ${thing} in any of its folders`, async () => {
      const store = await open(2_000)
      await put(store, 'first')
      for (const folder of ['log', 'snap', 'in', 'tmp', 'quarantine', '.']) {
        await make(at(folder, 'foreign'))
      }
      await make(join(root, 'foreign'))
      await make(at('snap', '00000009.index'))
      await make(at('snap', '00000009.abc.data'))
      mkdirSync(at('in', 'q'))
      await make(at('in', 'q', 'foreign'))
      for (let job = 0; job < 30; job++) await put(store, `job-${job}`)
      await store.sweep({ node: 'n', limit: 100 })
      await store.close()
      expect((await ids(await open(2_000))).length).toBe(31)
    })
  }

  it('is not disturbed by any name', async () => {
    const store = await open(2_000)
    await put(store, 'first')
    mkdirSync(at('in', 'q'))
    for (const name of STRANGE_NAMES) {
      for (const folder of ['log', 'snap', 'tmp', 'quarantine'])
        writeFileSync(at(folder, name), 'x')
      writeFileSync(at('in', name), 'x')
      writeFileSync(join(root, name), 'x')
    }
    for (let job = 0; job < 30; job++) await put(store, `job-${job}`)
    await store.sweep({ node: 'n', limit: 100 })
    await store.close()
    expect((await ids(await open(2_000))).length).toBe(31)
    for (const name of STRANGE_NAMES) expect(readFileSync(join(root, name), 'utf8')).toBe('x')
  })

  it('works on a segment that has a second name elsewhere', async () => {
    const store = await open()
    await put(store, 'first')
    linkSync(at('log', SEGMENT), join(home, 'backup'))
    await put(store, 'second')
    await store.close()
    expect(await ids(await open())).toEqual(['first', 'second'])
  })
})

describe('the mark of a store', () => {
  it.each([
    ['of an unknown number', 'millrace-file 999 00\n', 'FORMAT_UNSUPPORTED'],
    ['cut short', 'millrace-file 3', 'FORMAT_UNSUPPORTED'],
    ['empty', '', 'FORMAT_UNSUPPORTED'],
    ['garbage', '\0\u00ff'.repeat(4_000), 'FORMAT_UNSUPPORTED'],
  ])('is refused when it is %s, and nothing is changed', async (_, text, code) => {
    await (await open()).close()
    writeFileSync(join(root, 'FORMAT'), text)
    const before = readFileSync(at('log', SEGMENT))
    await expect(open()).rejects.toMatchObject({ code })
    expect(readFileSync(at('log', SEGMENT))).toEqual(before)
  })

  it.each(['a link to a file', 'a link to nothing', 'a folder', 'a pipe'])(
    'is refused when it is %s',
    async (thing) => {
      await (await open()).close()
      rmSync(join(root, 'FORMAT'))
      await THINGS[thing](join(root, 'FORMAT'))
      await expect(open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    },
  )
})

describe('permissions', () => {
  it('are for the owner alone: 0700 for folders, 0600 for files', async () => {
    const store = await open(2_000)
    for (let job = 0; job < 30; job++) await put(store, `job-${job}`)
    const modes = new Set<string>()
    const walk = (path: string): void => {
      const facts = lstatSync(path)
      modes.add(`${facts.isDirectory() ? 'folder' : 'file'} ${(facts.mode & 0o777).toString(8)}`)
      if (facts.isDirectory()) for (const name of readdirSync(path)) walk(join(path, name))
    }
    walk(root)
    expect([...modes].sort()).toEqual(['file 600', 'folder 700'])
  })

  it.each([0o777, 0o770, 0o702])('of %i on the folder are refused', async (mode) => {
    mkdirSync(root)
    chmodSync(root, mode)
    await expect(open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    expect(readdirSync(root)).toEqual([])
  })
})

describe('a store whose folder is taken away', () => {
  it.each([
    ['removed', () => rmSync(root, { recursive: true })],
    ['emptied of its log', () => rmSync(at('log', SEGMENT))],
    ['moved away', () => renameSync(root, join(home, 'away'))],
  ])('answers STORE_WIPED from then on when it is %s', async (_, take) => {
    const store = await open()
    await put(store, 'first')
    take()
    for (const id of ['second', 'third']) {
      const answer = store.insert([{ jobs: [newJob(id)] }])
      await expect(answer).rejects.toMatchObject({ code: 'STORE_WIPED' })
    }
  })

  it('answers STORE_WIPED to who looks or claims before anybody wrote', async () => {
    const store = await open()
    await put(store, 'first')
    rmSync(root, { recursive: true })
    const page = { limit: 10, cursor: null }
    for (const look of [
      () => store.list({ queue: 'q', which: {}, page }),
      () => store.get([{ queue: 'q', id: 'first' }]),
    ]) {
      await expect(look()).rejects.toMatchObject({ code: 'STORE_WIPED' })
    }
  })

  it('answers STORE_WIPED also when another store stands in its place', async () => {
    const store = await open()
    await put(store, 'first')
    rmSync(root, { recursive: true })
    const other = await open()
    await put(other, 'new')
    await expect(store.insert([{ jobs: [newJob('second')] }])).rejects.toMatchObject({
      code: 'STORE_WIPED',
    })
    expect(await ids(other)).toEqual(['new'])
  })
})

describe('a log that is damaged at any byte', () => {
  const LOG = `${ROOT}/default/log/`
  const host = hostAt({ ms: 1_000_000 }, 1)

  async function begin(disk: SimDisk, nonce: string): Promise<Process> {
    return openProcess({ disk: disk.fork(), host, nonce, segmentBytes: 1_000 })
  }

  /** Jobs in a segment that was left, and one in the next. */
  async function written(): Promise<SimDisk> {
    const disk = new SimDisk()
    const { store } = await begin(disk, 'a')
    for (let job = 0; disk.facts(`${LOG}00000002.log`) === null; job++) {
      await put(store, `job-${job}`)
      await quiet()
    }
    await put(store, 'next')
    // Without a snapshot it must be read.
    for (const name of disk.list(`${ROOT}/default/snap`))
      disk.remove(`${ROOT}/default/snap/${name}`)
    return disk
  }

  async function eachDamage(
    damage: (bytes: Buffer, byte: number) => Buffer,
    atMost: number,
  ): Promise<void> {
    const disk = await written()
    const sound = await ids((await begin(disk, 'b')).store)
    const whole = disk.read(`${LOG}${SEGMENT}`)
    const bytes = Buffer.alloc(whole.size())
    whole.readAt(0, bytes)
    for (let byte = 0; byte < bytes.length; byte++) {
      const left = disk.crash('kill', seededChance(1))
      left.remove(`${LOG}${SEGMENT}`)
      left.create(`${LOG}${SEGMENT}`).write(damage(Buffer.from(bytes), byte))
      const { store, warnings: told } = await begin(left, 'c')
      const found = await ids(store)
      expect(sound, `byte ${byte}`).toEqual(expect.arrayContaining(found))
      expect(found, `byte ${byte}: work in the next segment`).toContain('next')
      expect(sound.length - found.length, `byte ${byte}`).toBeLessThanOrEqual(atMost)
      if (found.length < sound.length) expect(told.join(), `byte ${byte}`).toMatch(/is damaged/)
      await put(store, 'after')
      const again = await begin(left, 'd')
      expect(await ids(again.store), `byte ${byte}`).toEqual([...found, 'after'].sort())
    }
  }

  it('opens, tells, and keeps the neighbours when a bit flips', { timeout: 120_000 }, async () => {
    await eachDamage((bytes, byte) => {
      bytes[byte] ^= 1 << (byte % 8)
      return bytes
    }, 1)
  })

  it(
    'opens, tells, and goes on in the next segment when it is cut',
    { timeout: 120_000 },
    async () => {
      await eachDamage((bytes, byte) => bytes.subarray(0, byte), Infinity)
    },
  )
})

describe('names', () => {
  it(
    'of any spelling do not collide: scopes, queues, groups, ids',
    { timeout: 60_000 },
    async () => {
      const spellings = [
        'A',
        'a',
        'ä',
        'a\u0308',
        '%',
        '%61',
        '..',
        '.',
        '/',
        '',
        '\n',
        '\0',
        'con',
        'a.',
        ' a',
        '\ud800',
      ]
      spellings.push('x'.repeat(500), `${'x'.repeat(499)}y`)
      for (const scope of spellings) {
        const warn = (): void => undefined
        const store = openableFileStore({ path: root, durability: 'process' }, { warn })
        opened.push(store)
        await store.open({ scope })
        expect(await store.queues({ limit: 10, cursor: null })).toEqual({ items: [], cursor: null })
        const jobs = spellings.flatMap((queue) =>
          spellings.map((id) =>
            newJob(id, {
              queue,
              group: id,
              payload: { text: JSON.stringify([queue, id]), codec: 'json' },
            }),
          ),
        )
        await store.insert([{ jobs }])
        const found = await store.get(jobs)
        expect(found.map((one) => one?.kind === 'job' && one.job.payload.text)).toEqual(
          jobs.map(({ payload }) => payload.text),
        )
        await store.close()
      }
      const inside = readdirSync(root)
      expect(inside.length).toBe(spellings.length + 1)
    },
  )
})
