// Each rule, on a small house of its own: one that keeps it, and those that break it.
import { describe, expect, it } from 'vitest'
import {
  brokenFloors,
  circles,
  dumpingGrounds,
  exportsWithoutFile,
  filesWithoutOwner,
  longFiles,
  pathsUnlikeExports,
  realClocks,
} from './rules.js'
import { buildHouse } from './source.js'

/** `a: ['b']` is a file a.ts that imports b.ts. */
const imports = (from: string, ...files: string[]) => {
  const up = '../'.repeat(from.split('/').length - 1) || './'
  const text = files.map((file) => `import '${up}${file.replace(/\.ts$/, '.js')}'`).join('\n')
  return buildHouse({ [from]: text, ...Object.fromEntries(files.map((file) => [file, ''])) })
}

describe('the rule of floors', () => {
  it.each([
    ['cli/add.ts', 'millrace.ts'],
    ['cli/add.ts', 'testing/index.ts'],
    ['cli/add.ts', 'stores/file/file-store.ts'],
    ['index.ts', 'millrace.ts'],
    ['millrace.ts', 'stores/memory/memory-store.ts'],
    ['worker.ts', 'engine/runner.ts'],
    ['queue.ts', 'queue/produce.ts'],
    ['queue/produce.ts', 'engine/runner.ts'],
    ['dashboard/pages.ts', 'millrace.ts'],
    ['engine/runner.ts', 'store.ts'],
    ['engine/runner.ts', 'observe/events.ts'],
    ['store.ts', 'job/job.ts'],
    ['stores/file/file-store.ts', 'disk/disk.ts'],
    ['stores/file/file-store.ts', 'stores/file/frames.ts'],
    ['stores/file/file-store.ts', 'job/book/book.ts'],
    ['job/book/book.ts', 'job/id.ts'],
    ['job/id.ts', 'time/clock.ts'],
    ['time/duration.ts', 'job/errors.ts'],
    ['testing/index.ts', 'engine/runner.ts'],
  ])('lets %s import %s', (from, to) => {
    expect(brokenFloors(imports(from, to))).toEqual([])
  })

  it.each([
    ['time/clock.ts', 'job/id.ts'],
    ['job/errors.ts', 'time/clock.ts'],
    ['job/errors.ts', 'job/id.ts'],
    ['job/id.ts', 'store.ts'],
    ['store.ts', 'engine/runner.ts'],
    ['store.ts', 'observe/events.ts'],
    ['store.ts', 'stores/memory/memory-store.ts'],
    ['observe/events.ts', 'engine/runner.ts'],
    ['disk/disk.ts', 'store.ts'],
    ['engine/runner.ts', 'worker.ts'],
    ['engine/runner.ts', 'queue/produce.ts'],
    ['engine/runner.ts', 'disk/disk.ts'],
    ['engine/runner.ts', 'stores/memory/memory-store.ts'],
    ['stores/file/file-store.ts', 'engine/runner.ts'],
    ['stores/file/file-store.ts', 'stores/memory/memory-store.ts'],
    ['stores/file/file-store.ts', 'observe/events.ts'],
    ['stores/file/file-store.ts', 'millrace.ts'],
    ['millrace.ts', 'cli/add.ts'],
    ['millrace.ts', 'dashboard/pages.ts'],
    ['millrace.ts', 'testing/index.ts'],
    ['worker.ts', 'disk/disk.ts'],
    ['dashboard/pages.ts', 'engine/runner.ts'],
    ['testing/index.ts', 'cli/add.ts'],
  ])('stops %s from importing %s', (from, to) => {
    expect(brokenFloors(imports(from, to))).toEqual([
      expect.stringContaining(`src/${from}:1 imports ${to}`),
    ])
  })

  it.each([
    ['a type', "import type { R } from '../engine/runner.js'"],
    ['an export', "export { r } from '../engine/runner.js'"],
    ['everything', "export * from '../engine/runner.js'"],
    ['later', "const r = await import('../engine/runner.js')"],
    ['within a type', "type R = import('../engine/runner.js').R"],
    ['as a thread', "new Worker(new URL('../engine/runner.js', import.meta.url))"],
  ])('sees an import of %s', (_, text) => {
    const house = buildHouse({ 'job/id.ts': `\n${text}`, 'engine/runner.ts': '' })
    expect(brokenFloors(house)).toEqual([expect.stringContaining('src/job/id.ts:2 imports')])
  })

  it('does not see one in a comment or a string', () => {
    const text = "// import '../engine/runner.js'\nconst s = `import '../engine/runner.js'`"
    expect(brokenFloors(buildHouse({ 'job/id.ts': text, 'engine/runner.ts': '' }))).toEqual([])
  })

  it('knows no room that has no floor, and no package that imports itself', () => {
    expect(brokenFloors(buildHouse({ 'attic/box.ts': '' }))[0]).toContain('stands on no floor')
    expect(brokenFloors(buildHouse({ 'worker.ts': "import 'millrace/file'" }))).toHaveLength(1)
    expect(brokenFloors(buildHouse({ 'worker.ts': "import 'millrace-else'" }))).toEqual([])
  })
})

describe('the rule of circles', () => {
  it('finds a circle of any length, of types too, and by way of an index', () => {
    const house = buildHouse({
      'job/a.ts': "import type { B } from './b.js'",
      'job/b.ts': "import { c } from './c.js'",
      'job/c.ts': "export * from './a.js'",
      'job/self.ts': "import './self.js'",
    })
    expect(circles(house)).toEqual([
      expect.stringContaining('job/a.ts → job/b.ts → job/c.ts → job/a.ts'),
      expect.stringContaining('job/self.ts → job/self.ts'),
    ])
  })

  it('takes two ways to one file for none', () => {
    const house = buildHouse({
      'a.ts': "import './b.js'\nimport './c.js'",
      'b.ts': "import './c.js'",
      'c.ts': '',
    })
    expect(circles(house)).toEqual([])
  })
})

describe('the rules of exports', () => {
  const dist = (path: string) => ({ types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` })
  const manifest = {
    exports: {
      '.': dist('index'),
      './file': dist('stores/file/file-store'),
      './package.json': './package.json',
    },
    bin: { millrace: 'dist/cli/main.js' },
  }
  const whole = {
    'index.ts': "export * from './millrace.js'",
    'millrace.ts': '',
    'stores/file/file-store.ts': "new Worker(new URL('./beat.js', import.meta.url))",
    'stores/file/beat.ts': '',
    'cli/main.ts': "await import('./add.js')",
    'cli/add.ts': '',
  }

  it('are content with a whole house', () => {
    expect(exportsWithoutFile(buildHouse(whole), manifest)).toEqual([])
    expect(filesWithoutOwner(buildHouse(whole), manifest)).toEqual([])
  })

  it('find an export and a bin without a file', () => {
    const { 'index.ts': _, 'cli/main.ts': __, ...rest } = whole
    const found = exportsWithoutFile(buildHouse(rest), manifest)
    expect(found).toHaveLength(3)
    expect(found.join()).toContain('no src/index.ts')
    expect(found.join()).toContain('no src/cli/main.ts')
  })

  it('find an export whose types are not there', () => {
    const odd = { ...manifest, exports: { '.': { ...dist('index'), types: './dist/face.d.ts' } } }
    expect(exportsWithoutFile(buildHouse(whole), odd)).toEqual([
      expect.stringContaining('src/face.ts'),
    ])
  })

  it('find a file that nobody reaches', () => {
    const house = buildHouse({ ...whole, 'job/lost.ts': "import '../millrace.js'" })
    expect(filesWithoutOwner(house, manifest)).toEqual([expect.stringContaining('src/job/lost.ts')])
  })

  it('find a store without a subpath', () => {
    const house = buildHouse({
      ...whole,
      'millrace.ts': "import('./stores/redis/redis-store.js')",
      'stores/redis/redis-store.ts': '',
    })
    expect(filesWithoutOwner(house, manifest)).toEqual([expect.stringContaining('"./redis"')])
  })

  it('find names that differ between tests and users', () => {
    const paths = {
      millrace: ['./src/index.ts'],
      'millrace/file': ['./src/stores/file/file-store.ts'],
    }
    expect(pathsUnlikeExports(manifest, paths)).toEqual([])
    expect(pathsUnlikeExports(manifest, { ...paths, millrace: ['./src/x.ts'] })).toHaveLength(1)
    expect(pathsUnlikeExports(manifest, { millrace: paths.millrace })).toHaveLength(1)
    expect(pathsUnlikeExports(manifest, { ...paths, 'millrace/old': ['x'] })).toHaveLength(1)
  })
})

describe('the rule of clocks', () => {
  const found = (text: string, path = 'engine/runner.ts') =>
    realClocks(buildHouse({ [path]: text }))

  it.each([
    ['Date.now()', 'Date.now'],
    ["Date['now']()", 'Date.now'],
    ['globalThis.Date.now()', 'Date.now'],
    ['const { now } = Date', 'Date.now'],
    ['new Date()', 'new Date()'],
    ['new Date', 'new Date()'],
    ['Date()', 'Date()'],
    ['performance.now()', 'performance.now'],
    ['process.hrtime.bigint()', 'process.hrtime'],
    ['process.uptime()', 'process.uptime'],
    ["import { uptime } from 'node:os'", 'uptime'],
    ['setTimeout(f, 1)', 'setTimeout'],
    ['const later = setTimeout', 'setTimeout'],
    ['const clock = { setTimeout }', 'setTimeout'],
    ['globalThis.setInterval(f, 1)', 'globalThis.setInterval'],
    ['setImmediate(f)', 'setImmediate'],
    ["import { setTimeout as wait } from 'node:timers/promises'", 'node:timers/promises'],
    ["import { performance } from 'node:perf_hooks'", 'node:perf_hooks'],
    ['AbortSignal.timeout(5)', 'AbortSignal.timeout'],
    ['Math.random()', 'Math.random'],
    ['crypto.randomUUID()', 'crypto.randomUUID'],
    ['globalThis.crypto.getRandomValues(a)', 'crypto.getRandomValues'],
    ["import { randomBytes as dice } from 'node:crypto'", 'randomBytes'],
  ])('finds %s', (text, what) => {
    expect(found(`\n${text}`)).toEqual([
      expect.stringContaining(`src/engine/runner.ts:2 uses ${what}`),
    ])
  })

  it.each([
    '// Date.now() and Math.random()',
    "const s = 'setTimeout(f)'",
    'new Date(5)',
    'Math.floor(1.5)',
    'clock.after(1, f)',
    'clearTimeout(handle)',
    'this.setTimeout(1)',
    'const o = { setTimeout: 1 }',
    'let t: ReturnType<typeof setTimeout>',
    "import { createHash } from 'node:crypto'",
    'Date.parse(text) + Date.UTC(2000, 0)',
  ])('lets %s be', (text) => {
    expect(found(text)).toEqual([])
  })

  it('lets the one file have them', () => {
    expect(found('Date.now()', 'time/system.ts')).toEqual([])
    expect(found('Date.now()', 'time/other.ts')).toHaveLength(1)
    expect(found('Date.now()', 'engine/time/system.ts')).toHaveLength(1)
  })
})

describe('the rules of names and sizes', () => {
  it.each(['utils', 'util', 'helpers', 'common', 'types', 'interfaces', 'lib', 'misc', 'shared'])(
    'finds a folder and a file called %s',
    (name) => {
      const house = buildHouse({ [`job/${name}/a.ts`]: '', [`engine/${name}.ts`]: '' })
      expect(dumpingGrounds(house)).toHaveLength(2)
    },
  )

  it('finds one in disguise, and lets subjects be', () => {
    expect(
      dumpingGrounds(buildHouse({ 'job/id-utils.ts': '', 'job/job.types.ts': '' })),
    ).toHaveLength(2)
    expect(dumpingGrounds(buildHouse({ 'job/typesetting.ts': '', 'job/library.ts': '' }))).toEqual(
      [],
    )
  })

  it('finds a file of more than 400 lines', () => {
    const text = (lines: number) => 'x\n'.repeat(lines)
    expect(longFiles(buildHouse({ 'job/a.ts': text(400) }))).toEqual([])
    expect(longFiles(buildHouse({ 'job/a.ts': text(401) }))).toEqual([
      expect.stringContaining('src/job/a.ts has 401 lines'),
    ])
  })
})
