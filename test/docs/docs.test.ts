// What the documents say in tables is what the code says, their links lead somewhere, and the first
// lines of the README run as they stand there.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { transpileModule, ModuleKind, ScriptTarget } from 'typescript'
import { describe, expect, it } from 'vitest'
import { testMillrace } from 'millrace/testing'
import { errorCodes, eventFields } from './declared-names.js'
import { millraceTerms } from '../../src/millrace-options.js'
import { EVENT_NAMES } from '../../src/observe/events.js'
import { parseDuration } from '../../src/time/duration.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const PAGES = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
]

/** The rows of the table that begins with this heading cell, their cells trimmed. */
function table(page: string, heading: string): readonly (readonly string[])[] {
  const lines = text(page).split('\n')
  const from = lines.findIndex((line) => line.startsWith('|') && cells(line)[0] === heading)
  expect(from, `${page} has a table that begins with ${heading}`).toBeGreaterThanOrEqual(0)
  const rest = lines.slice(from + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end < 0 ? rest.length : end).map(cells)
}

const cells = (line: string): readonly string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())

const bare = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '')

/** A default as a table shows it: a span in milliseconds, a number, a word, `false` or `Infinity`. */
function shown(cell: string | undefined): unknown {
  const word = bare(cell).replaceAll('_', '')
  if (word === 'false') return false
  if (word === 'true') return true
  if (word === '[]') return []
  const quoted = /^'(.*)'$/.exec(word)?.[1]
  return quoted === undefined ? Number(word) : (parseDuration(quoted) ?? quoted)
}

/** `{ limits: { age: 1 } }` → `limits.age: 1` */
function flat(value: unknown, path = ''): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]]
  return Object.entries(value).flatMap(([key, each]) =>
    flat(each, path === '' ? key : `${path}.${key}`),
  )
}

describe('the tables', () => {
  it('name every event with its fields, and no other', () => {
    const rows = table('docs/events.md', 'Event')
    const said = new Map(rows.map(([name, fields]) => [bare(name), bare(fields).split(' ')]))
    expect([...said.keys()].sort()).toEqual([...EVENT_NAMES].sort())
    for (const [name, fields] of eventFields()) {
      expect(said.get(name)?.toSorted(), name).toEqual(fields.toSorted())
    }
  })

  it('name every error code, and no other', () => {
    const said = table('docs/errors.md', 'Code').map(([code]) => bare(code))
    expect(said.toSorted()).toEqual(errorCodes().toSorted())
  })

  it('name every setting of a queue with its default, and no other', async () => {
    const mill = testMillrace()
    const { effective } = await mill.queue('plain').settings()
    await mill.close()
    const said = table('docs/queues-and-settings.md', 'Option').map(
      ([option, value]) => [bare(option), shown(value)] as const,
    )
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(flat(effective)))
  })

  it('name every option of a Millrace with its default, and no other', () => {
    const said = table(
      'docs/getting-started.md',
      'Option of millrace(url, options)'.replace(
        'millrace(url, options)',
        '`millrace(url, options)`',
      ),
    ).map(([option, value]) => [bare(option), shown(value)] as const)
    expect(Object.fromEntries(said)).toEqual(millraceTerms({}))
  })
})

describe('the links', () => {
  it.each(PAGES)('of %s lead to files and headings that are there', (page) => {
    const links = [...text(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '')
    for (const link of links.filter((each) => !/^[a-z]+:/.test(each))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path))
      expect(existsSync(join(ROOT, target)), `${page} → ${link}`).toBe(true)
      if (anchor !== undefined) expect(anchors(target), `${page} → ${link}`).toContain(anchor)
    }
  })
})

const anchors = (page: string): readonly string[] =>
  [...text(page).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )

describe('the first lines of the README', () => {
  const blocks = [...text('README.md').matchAll(/<!-- runs: (\S+) -->\n\n```\w+\n([^]*?)```/g)]

  it('are there as TypeScript, as JavaScript and by require', () => {
    expect(blocks.map(([, name]) => name)).toEqual(['first.ts', 'first.mjs', 'first.cjs'])
  })

  it.each(blocks.map(([, name = '', code = '']) => [name, code]))('run: %s', async (name, code) => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-readme-'))
    try {
      mkdirSync(join(folder, 'node_modules'))
      symlinkSync(ROOT, join(folder, 'node_modules', 'millrace'))
      const program = join(folder, name.replace(/\.ts$/, '.mjs'))
      writeFileSync(program, name.endsWith('.ts') ? javascript(code) : code)
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: folder })
      expect(stdout).toBe('sent to ada@example.com\n')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

function javascript(code: string): string {
  const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 }
  return transpileModule(code, { compilerOptions }).outputText
}
