// The port on the machine's own file system: what it refuses to touch, what it never waits for,
// and that a closed file stays closed.
import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DiskFile } from '../../src/disk/disk.js'
import { hasOption } from '../../src/disk/medium.js'
import { realDisk } from '../../src/disk/real-disk.js'

const disk = realDisk()
const isRoot = process.geteuid?.() === 0
let root = ''

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'millrace-disk-'))
})
afterEach(() => {
  fs.rmSync(root, { recursive: true, force: true })
})

function at(...names: string[]): string {
  return join(root, ...names)
}

function using<T>(file: DiskFile, use: (file: DiskFile) => T): T {
  try {
    return use(file)
  } finally {
    file.close()
  }
}

function textOf(file: DiskFile): string {
  const into = Buffer.alloc(file.size() + 10)
  return into.toString('utf8', 0, file.readAt(0, into))
}

const UNREACHABLE: unknown = expect.objectContaining({ code: 'STORE_UNREACHABLE' })

describe('a folder', () => {
  it('is made for its owner alone, and made again without harm', () => {
    disk.makeFolder(at('a'))
    disk.makeFolder(at('a'))
    expect(disk.facts(at('a'))).toMatchObject({ kind: 'folder', mode: 0o700 })
    expect(() => disk.makeFolder(at('b', 'c'))).toThrow(/ENOENT/)
  })

  it('is refused when it is a link, a file, or open to others', () => {
    disk.makeFolder(at('real'))
    fs.symlinkSync(at('real'), at('link'))
    fs.writeFileSync(at('file'), '')
    fs.mkdirSync(at('open'))
    fs.chmodSync(at('open'), 0o770)
    for (const name of ['link', 'link/', 'file', 'open']) {
      expect(() => disk.makeFolder(`${root}/${name}`)).toThrow(UNREACHABLE)
    }
  })

  it.skipIf(!isRoot)('is refused when it is somebody else’s (needs root to arrange)', () => {
    fs.mkdirSync(at('theirs'), 0o700)
    fs.chownSync(at('theirs'), 12345, 12345)
    expect(() => disk.makeFolder(at('theirs'))).toThrow(UNREACHABLE)
  })

  it('lists its names, and nothing is not an empty folder', async () => {
    expect(disk.list(root)).toEqual([])
    disk.create(at('x')).close()
    disk.create(at('y')).close()
    expect([...disk.list(root)].sort()).toEqual(['x', 'y'])
    expect(() => disk.list(at('none'))).toThrow(/ENOENT/)
    await disk.syncFolder(root)
    await expect(disk.syncFolder(at('none'))).rejects.toThrow(/ENOENT/)
  })
})

describe('a file', () => {
  it('grows at its end, whoever writes, and is read at any place', async () => {
    using(disk.create(at('log')), (one) => {
      using(disk.append(at('log')), (other) => {
        expect(one.write(Buffer.from('one '))).toBe(4)
        expect(other.write(Buffer.from('two '))).toBe(4)
        one.write(Buffer.from('three'))
        expect(textOf(other)).toBe('one two three')
      })
      one.syncNow()
    })
    using(disk.read(at('log')), (file) => {
      const into = Buffer.alloc(3)
      expect(file.readAt(4, into)).toBe(3)
      expect(into.toString()).toBe('two')
      expect(file.readAt(11, into)).toBe(2)
      expect(file.readAt(99, into)).toBe(0)
      expect(file.size()).toBe(13)
      expect(() => file.write(into)).toThrow(/EBADF/)
    })
    expect(disk.facts(at('log'))).toMatchObject({ kind: 'file', size: 13, mode: 0o600, links: 1 })
    expect(disk.facts(at('none'))).toBeNull()
    const file = disk.append(at('log'))
    await Promise.all([file.sync(), file.sync()])
    file.close()
  })

  it('is created once', () => {
    disk.create(at('a')).close()
    expect(() => disk.create(at('a'))).toThrow(/EEXIST/)
    fs.symlinkSync(at('nowhere'), at('dangling'))
    expect(() => disk.create(at('dangling'))).toThrow(/EEXIST/)
    expect(() => disk.append(at('none'))).toThrow(/ENOENT/)
    expect(() => disk.read(at('none'))).toThrow(/ENOENT/)
  })

  it('is opened only when it is a regular file, and a pipe is not waited for', () => {
    fs.writeFileSync(at('target'), 'x')
    fs.symlinkSync(at('target'), at('link'))
    execFileSync('mkfifo', [at('pipe')])
    for (const path of [at('link'), at('pipe'), root, '/dev/null']) {
      expect(() => disk.append(path)).toThrow(UNREACHABLE)
      expect(() => disk.read(path)).toThrow(UNREACHABLE)
    }
    expect(disk.facts(at('link'))?.kind).toBe('link')
    expect(disk.facts(at('pipe'))?.kind).toBe('other')
  })

  it.skipIf(!isRoot)('is opened only when it is our own (needs root to arrange)', () => {
    fs.writeFileSync(at('theirs'), 'x')
    fs.chownSync(at('theirs'), 12345, 12345)
    expect(() => disk.append(at('theirs'))).toThrow(UNREACHABLE)
    expect(() => disk.read(at('theirs'))).toThrow(UNREACHABLE)
  })

  it('leaks no descriptor when it is refused', () => {
    const count = () => fs.readdirSync('/proc/self/fd').length
    if (process.platform !== 'linux') return
    const before = count()
    for (let round = 0; round < 50; round++) expect(() => disk.read(root)).toThrow(UNREACHABLE)
    expect(count()).toBe(before)
  })

  it('that was closed touches no descriptor, though a sync was under way', async () => {
    const file = disk.create(at('a'))
    file.write(Buffer.from('x'))
    const sync = file.sync()
    file.close()
    file.close()
    const next = disk.create(at('b'))
    await sync
    next.write(Buffer.from('y'))
    expect(textOf(next)).toBe('y')
    next.close()
    for (const use of [
      () => file.size(),
      () => file.write(Buffer.from('z')),
      () => file.syncNow(),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'EBADF' }))
    }
    await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
  })
})

describe('names of a file', () => {
  it('are given once by link, replaced by rename, and counted', () => {
    const file = disk.create(at('tmp'))
    disk.create(at('taken')).close()
    expect(disk.link(at('tmp'), at('new'))).toBe(true)
    expect(disk.link(at('tmp'), at('taken'))).toBe(false)
    expect(() => disk.link(at('none'), at('other'))).toThrow(/ENOENT/)
    expect(file.links()).toBe(2)
    disk.remove(at('tmp'))
    disk.rename(at('new'), at('taken'))
    expect([file.links(), disk.list(root)]).toEqual([1, ['taken']])
    disk.remove(at('taken'))
    expect(file.links()).toBe(0)
    expect(() => disk.remove(at('taken'))).toThrow(/ENOENT/)
    file.close()
  })
})

describe('a watch', () => {
  it('tells of a change, and is silent where it cannot watch', async () => {
    disk.watch(at('none'), () => expect.unreachable())()
    const changed = new Promise<void>((resolve) => {
      const stop = disk.watch(root, () => {
        stop()
        resolve()
      })
    })
    disk.create(at('a')).close()
    await changed
  })
})

describe('the medium', () => {
  it('of /proc is unknown and of /dev/shm is memory', () => {
    if (process.platform !== 'linux') return
    expect(disk.medium('/proc').name).toMatch(/^unknown \(0x/)
    if (fs.existsSync('/dev/shm') && disk.medium('/dev/shm').name === 'tmpfs') {
      expect(disk.medium('/dev/shm')).toEqual({
        name: 'tmpfs',
        keeps: 'process',
        ordersAppends: true,
      })
    }
    expect(() => disk.medium(at('none'))).toThrow(/ENOENT/)
  })

  it('of an overlay is asked of its mount options, the innermost mount first', () => {
    const mounts = [
      '22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/l,upperdir=/u,volatile',
      '23 22 0:21 / /data rw - ext4 /dev/sda1 rw,errors=remount-ro',
      '24 22 0:22 / /a\\040b rw - overlay none rw,volatile',
      '25 22 0:23 / /a\\040b rw - overlay none rw',
      '',
    ].join('\n')
    expect(hasOption(mounts, '/home/x', 'volatile')).toBe(true)
    expect(hasOption(mounts, '/data', 'volatile')).toBe(false)
    expect(hasOption(mounts, '/data/x', 'volatile')).toBe(false)
    expect(hasOption(mounts, '/database', 'volatile')).toBe(true)
    expect(hasOption(mounts, '/a b/c', 'volatile')).toBe(false)
  })
})
