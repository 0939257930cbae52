import { describe, expect, it } from 'vitest'
import { away, brief, jsonText, safe, whole } from '../../src/cli/plain.js'
import { table } from '../../src/cli/table.js'

describe('what a job holds, on a terminal', () => {
  it('cannot steer it', () => {
    const evil = 'a\x1b[2Jb\nc\u202ed\x9b'
    expect(safe(evil)).toBe('a\\x1b[2Jb\\x0ac\\u202ed\\x9b')
    for (const text of [
      brief(evil, 100),
      ...whole({ [evil]: evil }),
      brief({ [evil]: [evil] }, 100),
    ]) {
      // eslint-disable-next-line no-control-regex -- these are what must not be there
      expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/)
    }
  })

  it('is as long as asked at most, in brief', () => {
    expect(brief({ text: 'x'.repeat(500) }, 40).length).toBeLessThanOrEqual(40)
  })
})

describe('JSON for programs', () => {
  it('exists for every payload', () => {
    const payload = {
      date: new Date(0),
      map: new Map([['a', 1n]]),
      set: new Set([1]),
      bytes: new Uint8Array([1, 2]),
      big: 2n ** 70n,
      none: undefined,
      much: Infinity,
    }
    expect(JSON.parse(jsonText(payload))).toEqual({
      date: '1970-01-01T00:00:00.000Z',
      map: [['a', '1']],
      set: [1],
      bytes: [1, 2],
      big: '1180591620717411303424',
      much: 'Infinity',
    })
    expect(jsonText(undefined)).toBe('null')
  })

  it('is one line', () => expect(jsonText({ a: 'b\nc' })).toBe('{"a":"b\\nc"}'))
})

describe('a time', () => {
  it('is told from now', () => {
    expect(away(new Date(10_000), 75_000)).toBe('1m 5s ago')
    expect(away(new Date(10_000), 5_000)).toBe('in 5s')
    expect(away(new Date(10_000), 9_500)).toBe('now')
  })
})

describe('a table', () => {
  const columns = [
    { title: 'NAME', cell: ({ name }: { name: string; n: number }) => name },
    { title: 'N', cell: ({ n }: { n: number }) => String(n), align: 'right' as const },
    { title: 'WHAT', cell: ({ name }: { name: string }) => name.repeat(9) },
  ]
  const rows = [
    { name: 'a', n: 1 },
    { name: 'longer', n: 1000 },
  ]

  it('has columns as wide as their widest cell, and numbers to the right', () => {
    expect(table(columns, rows, { columns: Infinity, head: (text) => text })).toEqual([
      'NAME       N  WHAT',
      'a          1  aaaaaaaaa',
      `longer  1000  ${'longer'.repeat(9)}`,
    ])
  })

  it('ends where the terminal does', () => {
    const lines = table(columns, rows, { columns: 30, head: (text) => text })
    expect(Math.max(...lines.map(({ length }) => length))).toBe(30)
  })
})
