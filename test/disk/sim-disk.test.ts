// The simulated disk: what it may forget and what it may not. Every proof of `file:` and
// `maildir:` stands on this, so it is held against the facts measured on real disks.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Disk, DiskFile } from '../../src/disk/disk.js'
import { realDisk } from '../../src/disk/real-disk.js'
import { PowerCut, SimDisk, type CrashProfile } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'

const PROFILES: readonly CrashProfile[] = ['any-subset', 'ext4-ordered', 'kill']
const CUTS = ['any-subset', 'ext4-ordered'] as const

function textOf(disk: Disk, path: string): string | null {
  if (disk.facts(path) === null) return null
  const file = disk.read(path)
  const into = Buffer.alloc(file.size())
  file.readAt(0, into)
  file.close()
  return into.toString('latin1')
}

/** What a restart may find at the path, over all outcomes. */
function found(disk: SimDisk, path: string, profile: CrashProfile): Set<string | null> {
  const states = disk.crashStates(profile, 10_000, seededChance(7))
  return new Set([...states].map((state) => textOf(state, path)))
}

/** A disk with a folder /q that is durable. */
async function withFolder(): Promise<SimDisk> {
  const disk = new SimDisk()
  disk.makeFolder('/q')
  await disk.syncFolder('/')
  return disk
}

describe('a power cut', () => {
  it.each(CUTS)('empties a file that was not synced, though its name was (%s)', async (profile) => {
    const disk = await withFolder()
    disk.create('/q/a').write(Buffer.from('data'))
    await disk.syncFolder('/q')
    const outcomes = found(disk, '/q/a', profile)
    expect(outcomes).toContain('')
    expect(outcomes).toContain('data')
    expect(outcomes).not.toContain(null)
  })

  it('takes the name of a file that was synced, unless its folder was too', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    file.write(Buffer.from('data'))
    await file.sync()
    expect(found(disk, '/q/a', 'any-subset')).toEqual(new Set([null, 'data']))
    // One journal: the sync of the file committed the name before it.
    expect(found(disk, '/q/a', 'ext4-ordered')).toEqual(new Set(['data']))
    await disk.syncFolder('/q')
    for (const profile of PROFILES) expect(found(disk, '/q/a', profile)).toEqual(new Set(['data']))
    expect(disk.pending()).toBe(0)
  })

  it.each(CUTS)('undoes a rename whose folder was not synced (%s)', async (profile) => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    await disk.syncFolder('/q')
    disk.rename('/q/a', '/q/b')
    const states = [...disk.crashStates(profile, 100, seededChance(1))]
    expect(new Set(states.map((state) => state.list('/q').join()))).toEqual(new Set(['a', 'b']))
    await disk.syncFolder('/q')
    expect(disk.crash(profile, seededChance(1)).list('/q')).toEqual(['b'])
    file.close()
  })

  it('may split a move between two folders, where POSIX allows it', async () => {
    const disk = await withFolder()
    disk.makeFolder('/new')
    await disk.syncFolder('/')
    disk.create('/q/a').close()
    await disk.syncFolder('/q')
    disk.rename('/q/a', '/new/a')
    const seen = (profile: CrashProfile) =>
      new Set(
        [...disk.crashStates(profile, 100, seededChance(1))].map(
          (state) => `${state.list('/q').join()}|${state.list('/new').join()}`,
        ),
      )
    expect(seen('any-subset')).toEqual(new Set(['a|', '|a', 'a|a', '|']))
    expect(seen('ext4-ordered')).toEqual(new Set(['a|', '|a']))
  })

  it.each(CUTS)(
    'keeps a link for certain only after the folder was synced (%s)',
    async (profile) => {
      const disk = await withFolder()
      const file = disk.create('/q/tmp')
      file.write(Buffer.from('x'))
      await file.sync()
      await disk.syncFolder('/q')
      expect(disk.link('/q/tmp', '/q/new')).toBe(true)
      expect(file.links()).toBe(2)
      expect(found(disk, '/q/new', profile)).toEqual(new Set([null, 'x']))
      await disk.syncFolder('/q')
      expect(found(disk, '/q/new', profile)).toEqual(new Set(['x']))
      expect(disk.crash(profile, seededChance(1)).facts('/q/new')?.links).toBe(2)
    },
  )

  it.each(CUTS)(
    'brings back what was removed without a sync of the folder (%s)',
    async (profile) => {
      const disk = await withFolder()
      disk.create('/q/a').close()
      await disk.syncFolder('/q')
      disk.remove('/q/a')
      expect(disk.facts('/q/a')).toBeNull()
      expect(found(disk, '/q/a', profile)).toEqual(new Set(['', null]))
    },
  )

  it('loses a folder with all that is in it', async () => {
    const disk = new SimDisk()
    disk.makeFolder('/q')
    const file = disk.create('/q/a')
    await file.sync()
    await disk.syncFolder('/q')
    const roots = [...disk.crashStates('any-subset', 10, seededChance(1))].map((s) => s.list('/'))
    expect(roots).toEqual([[], ['q']])
  })

  it('tears writes, leaves holes before what survived, and never touches what was synced', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    file.write(Buffer.from('synced'))
    await file.sync()
    await disk.syncFolder('/q')
    file.write(Buffer.from('1111'))
    file.write(Buffer.from('2222'))
    const outcomes = found(disk, '/q/a', 'any-subset')
    for (const text of outcomes) expect(text?.slice(0, 6)).toBe('synced')
    for (const tail of ['', '1111', '11112222', '\0\0\0\x002222', '1', '11112', '\0\0\0\0']) {
      expect(outcomes).toContain(`synced${tail}`)
    }
    expect(found(disk, '/q/a', 'ext4-ordered')).toEqual(
      new Set(['synced', 'synced1111', 'synced11112222']),
    )
  })

  it('tears at sectors and pages of the file', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    file.write(Buffer.alloc(100, 'a'))
    await file.sync()
    await disk.syncFolder('/q')
    file.write(Buffer.alloc(5000, 'b'))
    const sizes = (profile: CrashProfile) =>
      [...found(disk, '/q/a', profile)].map((text) => text?.length)
    expect(sizes('any-subset')).toEqual(expect.arrayContaining([100, 101, 4096, 4608, 5099, 5100]))
    expect(new Set(sizes('ext4-ordered'))).toEqual(new Set([100, 4096, 5100]))
  })

  it('leaves a kill nothing to take, and what was not synced still unsynced', async () => {
    const disk = await withFolder()
    disk.create('/q/a').write(Buffer.from('data'))
    const [after] = disk.crashStates('kill', 10, seededChance(1))
    expect(textOf(after, '/q/a')).toBe('data')
    expect(after.pending()).toBe(2)
    expect(found(after, '/q/a', 'any-subset')).toContain(null)
    const file = after.append('/q/a')
    await file.sync()
    await after.syncFolder('/q')
    expect(found(after, '/q/a', 'any-subset')).toEqual(new Set(['data']))
    expect(disk.pending()).toBe(2)
  })
})

describe('a failed sync', () => {
  it('loses what it should have written: a second one that succeeds does not save it', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    await disk.syncFolder('/q')
    file.write(Buffer.from('lost'))
    disk.failNext('sync', 'EIO')
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await file.sync()
    expect(textOf(disk, '/q/a')).toBe('lost')
    expect(found(disk, '/q/a', 'any-subset')).toContain('')
    file.write(Buffer.from('kept'))
    file.syncNow()
    expect(found(disk, '/q/a', 'any-subset')).toContain('\0\0\0\0kept')
  })

  it('of a folder loses its names', async () => {
    const disk = await withFolder()
    disk.create('/q/a').close()
    disk.failNext('syncFolder', 'EIO')
    await expect(disk.syncFolder('/q')).rejects.toMatchObject({ code: 'EIO' })
    await disk.syncFolder('/q')
    expect(found(disk, '/q/a', 'any-subset')).toContain(null)
  })
})

describe('syncs that are held', () => {
  it('cover what was there when they began, and end when the test lets them', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    await disk.syncFolder('/q')
    disk.holdSyncs()
    file.write(Buffer.from('1'))
    const order: string[] = []
    const first = file.sync().then(() => order.push('first'))
    file.write(Buffer.from('2'))
    const second = file.sync().then(() => order.push('second'))
    file.write(Buffer.from('3'))
    expect(disk.heldSyncs()).toEqual(['/q/a', '/q/a'])
    expect(disk.pending()).toBe(3)
    disk.releaseSync(1)
    await second
    expect(disk.pending()).toBe(1)
    disk.releaseSyncs()
    await first
    expect(order).toEqual(['second', 'first'])
    expect(found(disk, '/q/a', 'ext4-ordered')).toEqual(new Set(['12', '123']))
  })

  it('do not save what another sync of the same bytes has lost', async () => {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    await disk.syncFolder('/q')
    disk.holdSyncs()
    file.write(Buffer.from('1'))
    const [failing, passing] = [file.sync(), file.sync()]
    disk.releaseSync(0, 'EIO')
    disk.releaseSyncs()
    await expect(failing).rejects.toMatchObject({ code: 'EIO' })
    await passing
    expect(found(disk, '/q/a', 'any-subset')).toContain('')
  })

  it('may fail, or be cut off with their process', async () => {
    const disk = await withFolder()
    const other = disk.fork()
    const file = disk.create('/q/a')
    file.write(Buffer.from('1'))
    disk.holdSyncs()
    const failing = file.sync()
    disk.releaseSync(0, 'EIO')
    await expect(failing).rejects.toMatchObject({ code: 'EIO' })
    file.write(Buffer.from('2'))
    const mine = file.sync()
    const theirs = other.append('/q/a').sync()
    disk.cut()
    await expect(mine).rejects.toThrow(PowerCut)
    other.releaseSyncs()
    await theirs
    expect(disk.pending()).toBe(2) // the name, and the byte that the failed sync has dropped
  })
})

describe('faults', () => {
  it('hit the call that was named, and leave no trace', () => {
    const disk = new SimDisk()
    disk.failAt(2, 'ENOSPC')
    disk.failNext('rename', 'EXDEV')
    disk.makeFolder('/q')
    expect(() => disk.create('/q/a')).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(disk.facts('/q/a')).toBeNull()
    disk.create('/q/a').close()
    expect(() => disk.rename('/q/a', '/q/b')).toThrow(expect.objectContaining({ code: 'EXDEV' }))
    disk.rename('/q/a', '/q/b')
    expect(disk.log().map(({ call, outcome }) => `${call} ${outcome}`)).toEqual([
      'makeFolder done',
      'create failed',
      'facts done',
      'create done',
      'rename failed',
      'rename done',
    ])
    expect(disk.counts()).toEqual({ makeFolder: 1, create: 2, facts: 1, rename: 2 })
    expect(disk.crashPoints()).toEqual([1, 2, 4, 5, 6])
  })

  it('shorten a write', () => {
    const disk = new SimDisk()
    const file = disk.create('/a')
    disk.shortAt(2, 3)
    expect(file.write(Buffer.from('abcdef'))).toBe(3)
    expect(file.write(Buffer.from('ghi'))).toBe(3)
    expect(textOf(disk, '/a')).toBe('abcghi')
  })

  it('cut everything off from one call on, for one process', async () => {
    const disk = await withFolder()
    const other = disk.fork()
    const file = disk.create('/q/a')
    disk.cutAt(disk.operations + 2)
    file.write(Buffer.from('in'))
    expect(() => file.write(Buffer.from('out'))).toThrow(PowerCut)
    expect(() => disk.list('/q')).toThrow(PowerCut)
    expect(() => file.size()).toThrow(PowerCut)
    await expect(file.sync()).rejects.toThrow(PowerCut)
    await expect(disk.syncFolder('/none')).rejects.toThrow(PowerCut)
    file.close()
    expect(textOf(other, '/q/a')).toBe('in')
    expect(disk.log().at(-1)?.outcome).toBe('cut')
    expect(textOf(disk.crash('kill', seededChance(1)), '/q/a')).toBe('in')
  })
})

describe('files and names', () => {
  it('are shared by processes, while handles are their own', () => {
    const one = new SimDisk()
    const two = one.fork()
    const mine = one.create('/log')
    const theirs = two.append('/log')
    mine.write(Buffer.from('1'))
    theirs.write(Buffer.from('2'))
    mine.close()
    expect(() => mine.size()).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(theirs.size()).toBe(2)
    expect(one.operations).toBe(2)
  })

  it('behave as on a real disk', () => {
    const disk = new SimDisk({ now: () => 5 })
    const code = (call: () => unknown): unknown => {
      try {
        return call()
      } catch (error) {
        return (error as { code: unknown }).code // as: errno errors have one
      }
    }
    disk.makeFolder('/q')
    disk.makeFolder('/q')
    const file = disk.create('/q/a')
    expect(code(() => disk.create('/q/a'))).toBe('EEXIST')
    expect(code(() => disk.makeFolder('/q/a'))).toBe('EEXIST')
    expect(code(() => disk.makeFolder('/none/a'))).toBe('ENOENT')
    expect(code(() => disk.list('/none'))).toBe('ENOENT')
    expect(code(() => disk.list('/q/a'))).toBe('ENOTDIR')
    expect(code(() => disk.append('/q'))).toBe('EISDIR')
    expect(code(() => disk.read('/q/none'))).toBe('ENOENT')
    expect(code(() => disk.remove('/q/none'))).toBe('ENOENT')
    expect(code(() => disk.link('/q/none', '/q/b'))).toBe('ENOENT')
    expect(code(() => disk.rename('/q/none', '/q/b'))).toBe('ENOENT')
    expect(code(() => disk.read('/q/../q/a'))).toBe('EINVAL')
    expect(code(() => disk.read('/q/a').write(Buffer.from('x')))).toBe('EBADF')

    expect(disk.link('/q/a', '/q/b')).toBe(true)
    expect(disk.link('/q/a', '/q/b')).toBe(false)
    disk.rename('/q/a', '/q/b') // two names of one file: nothing happens
    expect(disk.list('/q')).toEqual(['a', 'b'])
    disk.create('/q/c').write(Buffer.from('new'))
    disk.rename('/q/c', '/q/b') // replaced without a word
    expect([textOf(disk, '/q/b'), file.links()]).toEqual(['new', 1])
    disk.remove('/q/a')
    expect(file.links()).toBe(0)
    file.write(Buffer.from('nobody reads this'))
    expect(file.size()).toBe(17)
    expect(disk.facts('/q/b')).toEqual({
      ...{ kind: 'file', size: 3, mode: 0o600, uid: 1000, links: 1, modified: 5 },
      inode: expect.any(Number) as number, // as: a matcher stands for it
    })
    expect(disk.facts('/none/at/all')).toBeNull()
  })

  it('tell their watchers only when the test says so', () => {
    const disk = new SimDisk()
    disk.makeFolder('/q')
    const told: string[] = []
    const stop = disk.watch('/q/', () => told.push('q'))
    disk.fork().watch('/', () => told.push('root'))
    disk.create('/q/a').write(Buffer.from('x'))
    expect([told, disk.changed()]).toEqual([[], ['/', '/q']])
    disk.hint()
    disk.hint()
    expect(told).toEqual(['q', 'root'])
    disk.hint('/q')
    stop()
    disk.hint('/q')
    expect(told).toEqual(['q', 'root', 'q'])
  })
})

// Any program ——————————————————————————————————————————————————————————————————————————————————

type Step =
  | { readonly do: 'create' | 'remove' | 'write' | 'sync'; readonly name: string }
  | { readonly do: 'link' | 'rename'; readonly name: string; readonly to: string }
  | { readonly do: 'folder' }

const name = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('create' as const, 'remove' as const), name }),
  fc.record({ do: fc.constantFrom('write' as const, 'sync' as const), name }),
  fc.record({ do: fc.constantFrom('link' as const, 'rename' as const), name, to: name }),
  fc.record({ do: fc.constant('folder' as const) }),
)
const program = fc.array(step, { maxLength: 14 })

/** Runs what can be run; every write has its own bytes. */
async function run(disk: Disk, steps: readonly Step[]): Promise<void> {
  await outcomes(disk, '/q', steps)
}

/** What each step answers: its value, or the code of its error. */
async function outcomes(disk: Disk, home: string, steps: readonly Step[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for (const [index, todo] of steps.entries()) {
    try {
      answers.push(await perform(disk, home, todo, `<${index}>`))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      answers.push(error.code)
    }
  }
  return answers
}

async function perform(disk: Disk, home: string, todo: Step, text: string): Promise<unknown> {
  switch (todo.do) {
    case 'create':
      return disk.create(`${home}/${todo.name}`).close()
    case 'remove':
      return disk.remove(`${home}/${todo.name}`)
    case 'write':
      return using(disk.append(`${home}/${todo.name}`), (file) => [
        ...[file.write(Buffer.from(text)), file.size(), file.links()],
      ])
    case 'sync':
      return using(disk.append(`${home}/${todo.name}`), (file) => file.sync())
    case 'link':
      return disk.link(`${home}/${todo.name}`, `${home}/${todo.to}`)
    case 'rename':
      return disk.rename(`${home}/${todo.name}`, `${home}/${todo.to}`)
    case 'folder':
      return disk.syncFolder(home)
  }
}

function using<T>(file: DiskFile, use: (file: DiskFile) => T): T {
  try {
    return use(file)
  } finally {
    file.close()
  }
}

function picture(disk: Disk, home = '/q'): string {
  const names = [...disk.list(home)].sort()
  return JSON.stringify(names.map((entry) => [entry, textOf(disk, `${home}/${entry}`)]))
}

describe('any program', () => {
  it('finds after a kill what it left, and after syncs of everything too', async () => {
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        const disk = await withFolder()
        await run(disk, steps)
        const before = picture(disk)
        expect(picture(disk.crash('kill', seededChance(1)))).toBe(before)
        for (const entry of disk.list('/q')) await disk.append(`/q/${entry}`).sync()
        await disk.syncFolder('/q')
        for (const profile of CUTS) {
          for (let seed = 0; seed < 5; seed++) {
            expect(picture(disk.crash(profile, seededChance(seed)))).toBe(before)
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  it('goes on the simulated disk as on the real one', async () => {
    const root = mkdtempSync(join(tmpdir(), 'millrace-sim-'))
    try {
      let round = 0
      await fc.assert(
        fc.asyncProperty(program, async (steps) => {
          const real = realDisk()
          const home = join(root, `${round++}`)
          real.makeFolder(home)
          const onReal = await outcomes(real, home, steps)
          const sim = await withFolder()
          expect(await outcomes(sim, '/q', steps)).toEqual(onReal)
          expect(picture(sim)).toBe(picture(real, home))
        }),
        { numRuns: 150 },
      )
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })

  it('finds in an ordered outcome only what any subset allows too', async () => {
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        const disk = await withFolder()
        await run(disk, steps)
        fc.pre(disk.pending() <= 8)
        const pictures = (profile: CrashProfile) =>
          new Set(
            [...disk.crashStates(profile, 10_000, seededChance(1))].map((state) => picture(state)),
          )
        const ordered = pictures('ext4-ordered')
        const any = pictures('any-subset')
        for (const one of ordered) expect(any).toContain(one)
        const drawn = picture(disk.crash('ext4-ordered', seededChance(steps.length)))
        expect(ordered).toContain(drawn)
        expect(ordered).toContain(picture(disk))
      }),
      { numRuns: 200 },
    )
  })

  it('is one disk for one seed, and crashing leaves it as it was', async () => {
    await fc.assert(
      fc.asyncProperty(program, fc.nat(), async (steps, seed) => {
        const disk = await withFolder()
        await run(disk, steps)
        const before = [picture(disk), disk.pending()]
        const once = disk.crash('any-subset', seededChance(seed))
        const again = disk.crash('any-subset', seededChance(seed))
        expect([picture(once), once.story]).toEqual([picture(again), again.story])
        await run(once, steps)
        expect([picture(disk), disk.pending()]).toEqual(before)
        expect(once.story).toHaveLength(disk.pending())
      }),
      { numRuns: 200 },
    )
  })
})

describe('the list of outcomes', () => {
  async function withWrites(count: number): Promise<SimDisk> {
    const disk = await withFolder()
    const file = disk.create('/q/a')
    await disk.syncFolder('/q')
    for (let index = 0; index < count; index++) file.write(Buffer.from('x'))
    return disk
  }

  it('has every subset while there are at most 12 changes', async () => {
    const disk = await withWrites(5)
    // 32 subsets; of one-byte writes the only damage is a zero: 5 with all others, 5 with those
    // before it alone, and the last of either kind is the same.
    expect([...disk.crashStates('any-subset', 1000, seededChance(1))]).toHaveLength(32 + 9)
    expect([...disk.crashStates('ext4-ordered', 1000, seededChance(1))]).toHaveLength(6)
    expect([...disk.crashStates('any-subset', 7, seededChance(1))]).toHaveLength(7)
    expect([...disk.crashStates('kill', 7, seededChance(1))]).toHaveLength(1)
  })

  it('has the extremes and random ones beyond, different ones, told by what they lost', async () => {
    const disk = await withWrites(40)
    const stories = [...disk.crashStates('any-subset', 10_000, seededChance(1))].map(
      ({ story }) => story,
    )
    expect(stories.length).toBeGreaterThan(400)
    expect(new Set(stories.map((story) => story.join())).size).toBe(stories.length)
    expect(stories[0][0]).toBe('absent: /q/a 1 bytes at 0')
    const lost = stories.map((story) => story.filter((line) => !line.startsWith('present')).length)
    expect(lost).toEqual(expect.arrayContaining([0, 1, 39, 40]))
  })
})
