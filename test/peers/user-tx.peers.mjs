// The user's own transaction with the real libraries on a real server: what was asked within it is seen
// when it commits and never when it does not; parameters arrive as they were, rows come as promised.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asQuery } from '../../src/stores/postgres/user-tx.ts'
import { sharedPostgres } from '../servers/postgres.ts'
import { LIBRARIES } from './libraries.mjs'

const server = await sharedPostgres()
/** Whatever could be mistaken for syntax by somebody on the way. */
const WORDS = [
  ...[
    '',
    ' ',
    'NULL',
    'null',
    '{a,b}',
    '"',
    "'",
    "''",
    '\\',
    '\\\\',
    'a,b',
    '?',
    '\\?',
    '??',
    '$1',
    ':name',
  ],
  ...['line\nline', 'tab\t', 'Straße 日本 🙂', '--', '/*', '{"a":[1,"?"]}', 'x'.repeat(10_000)],
]
const CREATE = `CREATE TABLE things (
  id text PRIMARY KEY, n int8, f float8, is_so boolean, big_number int8, words text[])`

describe.skipIf(server.isMissing).each(Object.entries(LIBRARIES))(`%s${server.why}`, (_, open) => {
  let library
  let outside

  beforeAll(async () => {
    const url = await server.database()
    library = await open(url)
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const select = library.select ?? (async (text) => (await client.query(text)).rows)
    outside = { select, end: () => client.end() }
    await select(CREATE)
  })
  afterAll(async () => {
    await library?.close()
    await outside?.end()
  })

  const ids = async () =>
    (await outside.select('SELECT id FROM things ORDER BY id')).map(({ id }) => id)
  const insert = (tx, ...all) =>
    asQuery(tx).query('INSERT INTO things (id) SELECT unnest($1::text[]) RETURNING id', [all])

  it('shows what was asked when it has committed, and not before', async () => {
    await library.transaction(async (tx) => {
      expect(await insert(tx, 'a', 'b')).toEqual({ rows: [{ id: 'a' }, { id: 'b' }] })
      // PGlite has one connection, which waits for the transaction.
      if (library.select === undefined) expect(await ids()).toEqual([])
    })
    expect(await ids()).toEqual(['a', 'b'])
  })

  it('never shows what was rolled back', async () => {
    const before = await ids()
    const failed = library.transaction(async (tx) => {
      await insert(tx, 'never')
      throw new Error('changed my mind')
    })
    await expect(failed).rejects.toThrow('changed my mind')
    expect(await ids()).toEqual(before)
  })

  it('rejects with what the database says', async () => {
    const failed = library.transaction((tx) => insert(tx, 'a'))
    await expect(failed).rejects.toThrow()
    const code = await failed.catch(codeOf)
    expect(code).toBe('23505')
    expect(await ids()).not.toContain('never')
  })

  it('carries parameters, one by one and in arrays, as they are', async () => {
    await library.transaction(async (tx) => {
      const { query } = asQuery(tx)
      for (const word of WORDS) {
        expect(await query('SELECT $1::text AS word', [word])).toEqual({ rows: [{ word }] })
      }
      const numbers = [0, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53) + 1]
      const fractions = [0.1, -1e-300, 1e300, 3]
      const text = `
        SELECT ord::int4, word, n::text, f, is_so
        FROM unnest($1::text[], $2::int8[], $3::float8[], $4::boolean[])
          WITH ORDINALITY AS row (word, n, f, is_so, ord) ORDER BY ord`
      const flags = [true, false, null]
      const { rows } = await query(text, [WORDS, numbers, fractions, flags])
      expect(rows).toEqual(
        WORDS.map((word, at) => ({
          ord: at + 1,
          word,
          n: numbers[at] === undefined ? null : String(numbers[at]),
          f: fractions[at] ?? null,
          is_so: flags[at] ?? null,
        })),
      )
      const nothing = await query(
        'SELECT cardinality($1::text[]) AS n, $2::text AS none, to_jsonb($3::text[]) AS some',
        [[], null, ['x', null]],
      )
      expect(nothing.rows).toEqual([{ n: 0, none: null, some: ['x', null] }])
      const scalars =
        'SELECT $1::int4 AS n, $2::float8 AS f, $3::boolean AS is_so, $4::int8::text AS big'
      expect((await query(scalars, [5, 2.5, true, 2 ** 40])).rows).toEqual([
        { n: 5, f: 2.5, is_so: true, big: String(2 ** 40) },
      ])
      expect(
        (await query('SELECT $1::int8 + $1::int8 AS twice', [21])).rows.map((row) => +row.twice),
      ).toEqual([42])
    })
  })

  it('answers int8 as a string or a number, float8 as a number, names as they are written', async () => {
    await library.transaction(async (tx) => {
      const text = `
        INSERT INTO things (id, n, f, is_so, big_number, words)
        VALUES ('row', 7, 0.5, false, 1152921504606846976, '{a,"b,c"}') RETURNING *, to_jsonb('{d,NULL}'::text[]) AS holed`
      const { rows } = await asQuery(tx).query(text)
      expect(rows).toHaveLength(1)
      const { n, big_number, ...rest } = rows[0]
      expect(rest).toEqual({
        id: 'row',
        f: 0.5,
        is_so: false,
        words: ['a', 'b,c'],
        holed: ['d', null],
      })
      expect(['string', 'number']).toContain(typeof n)
      expect(Number(n)).toBe(7)
      expect(String(big_number)).toBe('1152921504606846976')
    })
  })

  it('tells rows of updates and deletes, and none where none are asked for', async () => {
    await library.transaction(async (tx) => {
      const { query } = asQuery(tx)
      await insert(tx, 'u')
      expect(await query("UPDATE things SET n = 1 WHERE id = 'u' RETURNING id")).toEqual({
        rows: [{ id: 'u' }],
      })
      expect(await query("UPDATE things SET n = 2 WHERE id = 'u'")).toEqual({ rows: [] })
      expect(await query("DELETE FROM things WHERE id = 'u' RETURNING id")).toEqual({
        rows: [{ id: 'u' }],
      })
    })
  })

  it('is told from what is no transaction', () => {
    for (const [name, wrong] of Object.entries(library.wrong)) {
      expect(() => asQuery(wrong), name).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
    }
  })
})

/** The database's code, which some hide in a cause. */
function codeOf(error) {
  for (let at = error; at !== undefined && at !== null; at = at.cause) {
    if (/^\d{5}$/.test(at.code ?? '')) return at.code
    const original = at.meta?.code ?? at.driverError?.code ?? at.originalCode
    if (original !== undefined) return original
    const inner = at.meta?.driverAdapterError?.cause?.originalCode
    if (inner !== undefined) return inner
  }
  return error
}
