// Which library holds the user's transaction is known by its shape; what is no transaction is refused
// with the way out. The shapes here are fakes that keep what they were asked; that the real libraries
// have these shapes is proved by test/peers.
import { describe, expect, it } from 'vitest'
import { asQuery } from '../../src/stores/postgres/user-tx.js'

const TEXT = 'SELECT $1::text AS a, $2::text[] AS b'
const PARAMS = ['x', ['y', null]] as const
const ROWS = [{ a: 'x', b: ['y', null] }]

interface Fake {
  readonly tx: object
  readonly asked: unknown[][]
}

/** A fake whose `method` keeps its arguments and answers `answer`. */
function fake(method: string, answer: unknown, rest: object = {}): Fake {
  const asked: unknown[][] = []
  const tx = {
    [method](this: unknown, ...args: unknown[]) {
      expect(this).toBe(tx)
      asked.push(args)
      return Promise.resolve(answer)
    },
    ...rest,
  }
  return { tx, asked }
}

const callable = ({ tx, asked }: Fake): Fake => {
  const of = Object.assign(() => undefined, tx)
  const [method = ''] = Object.keys(tx)
  const inner = (tx as Record<string, (...args: unknown[]) => unknown>)[method]
  return { tx: Object.assign(of, { [method]: inner?.bind(tx) }), asked }
}

const none = () => undefined

describe('a transaction', () => {
  const prisma = () => fake('$queryRawUnsafe', ROWS, { query: {}, raw: {} })
  const kysely = () => fake('executeQuery', { rows: ROWS }, { isTransaction: true })
  const drizzle = () => fake('execute', { rows: ROWS }, { rollback: none, query: {} })
  const drizzleOfArrays = () => fake('execute', ROWS, { rollback: none, query: {} })
  const knex = () => callable(fake('raw', { rows: ROWS }, { isTransaction: true }))
  const postgresJs = () => callable(fake('unsafe', ROWS, { savepoint: none }))
  const runner = () => fake('query', { records: ROWS, raw: [] }, { isTransactionActive: true })
  const pglite = () => fake('query', { rows: ROWS }, { exec: none, rollback: none })
  const client = () => fake('query', { rows: ROWS }, { connect: none, release: none })

  it.each<[string, () => Fake, unknown[]]>([
    ['Prisma', prisma, [TEXT, ...PARAMS]],
    ['Knex', knex, ['SELECT ?::text AS a, ?::text[] AS b', PARAMS]],
    ['postgres.js', postgresJs, [TEXT, PARAMS]],
    ['TypeORM’s runner', runner, [TEXT, PARAMS, true]],
    ['PGlite', pglite, [TEXT, PARAMS]],
    ['pg', client, [TEXT, PARAMS]],
  ])('of %s is asked in its way', async (_, make, args) => {
    const { tx, asked } = make()
    expect(await asQuery(tx).query(TEXT, PARAMS)).toEqual({ rows: ROWS })
    expect(asked).toEqual([args])
  })

  it('of Kysely is asked for a compiled query, without the plugins that would rename columns', async () => {
    const bare = kysely()
    const { tx, asked } = fake(
      'executeQuery',
      { rows: [] },
      {
        isTransaction: true,
        withoutPlugins: () => bare.tx,
      },
    )
    expect(await asQuery(tx).query(TEXT, PARAMS)).toEqual({ rows: ROWS })
    expect(asked).toEqual([])
    expect(bare.asked).toEqual([[expect.objectContaining({ sql: TEXT, parameters: PARAMS })]])
  })

  it.each<[string, () => Fake]>([
    ['rows', drizzle],
    ['an array', drizzleOfArrays],
  ])(
    'of Drizzle is asked by an object that makes SQL of itself, and answers %s',
    async (_, make) => {
      const { tx, asked } = make()
      expect(await asQuery(tx).query(TEXT, PARAMS)).toEqual({ rows: ROWS })
      const [[sql]] = asked as [[{ getSQL(): { toQuery(): unknown } }]]
      expect(sql.getSQL().toQuery()).toEqual({ sql: TEXT, params: PARAMS })
    },
  )

  it('of TypeORM’s manager is that of its runner', async () => {
    const { tx, asked } = runner()
    const manager = { query: none, getRepository: none, queryRunner: tx }
    expect(await asQuery(manager).query(TEXT, PARAMS)).toEqual({ rows: ROWS })
    expect(asked).toHaveLength(1)
  })

  it('of pg may be in one, or in a failed one', () => {
    for (const status of ['T', 'E', null]) {
      expect(() => asQuery({ query: none, getTransactionStatus: () => status })).not.toThrow()
    }
  })

  it('has no parameters where none are given', async () => {
    const { tx, asked } = client()
    await asQuery(tx).query('SELECT 1')
    expect(asked).toEqual([['SELECT 1', []]])
  })

  it('sends an array with booleans as a literal, and any other as it is', async () => {
    const { tx, asked } = client()
    const others = [['a', null], [1, 2], [], true]
    await asQuery(tx).query('SELECT 1', [[true, null, false], ...others])
    expect(asked).toEqual([['SELECT 1', ['{true,NULL,false}', ...others]]])
  })

  it('hands on the errors of the library as they come', async () => {
    const error = new Error('duplicate key')
    const tx = { query: () => Promise.reject(error) }
    await expect(asQuery(tx).query('SELECT 1')).rejects.toBe(error)
  })

  it('never answers a bigint', async () => {
    const rows = [{ n: 2n ** 60n, m: 1, text: 'x' }, { n: 5 }]
    const { tx } = fake('query', { rows })
    expect(await asQuery(tx).query('SELECT 1')).toEqual({
      rows: [{ n: '1152921504606846976', m: 1, text: 'x' }, { n: 5 }],
    })
  })

  it.each([undefined, 5, {}, { rows: 5 }, 'rows'])('that answers %o is told apart', async (odd) => {
    const { tx } = fake('query', odd)
    await expect(asQuery(tx, 'enqueue.tx').query('SELECT 1')).rejects.toMatchObject({
      code: 'TX_UNSUPPORTED',
      subject: 'enqueue.tx',
    })
  })
})

describe('what is no transaction', () => {
  it.each<[string, unknown, RegExp]>([
    ['the PrismaClient', { $queryRawUnsafe: none, $connect: none }, /prisma\.\$transaction/],
    ['Kysely', { executeQuery: none, isTransaction: false }, /db\.transaction\(\)\.execute/],
    ['Drizzle’s database', { execute: none, query: {}, transaction: none }, /db\.transaction\(/],
    ['knex', Object.assign(() => 0, { raw: none, isTransaction: false }), /knex\.transaction/],
    ['postgres.js’s sql', Object.assign(() => 0, { unsafe: none, begin: none }), /sql\.begin/],
    ['an idle runner', { query: none, isTransactionActive: false }, /dataSource\.transaction/],
    ['a DataSource', { query: none, createQueryRunner: none }, /dataSource\.transaction/],
    ['its manager', { query: none, getRepository: none }, /dataSource\.transaction/],
    [
      'a manager of an idle runner',
      {
        query: none,
        getRepository: none,
        queryRunner: { query: none, isTransactionActive: false },
      },
      /dataSource\.transaction/,
    ],
    ['a PGlite', { query: none, exec: none, transaction: none }, /db\.transaction/],
    ['a Pool', { query: none, connect: none, totalCount: 0 }, /pool\.connect\(\)/],
    ['an idle client', { query: none, getTransactionStatus: () => 'I' }, /query\('BEGIN'\) before/],
    ['nothing', null, /an open transaction of pg/],
    ['a URL', 'postgres://localhost', /an open transaction of pg/],
    ['anything', { begin: none }, /an open transaction of pg/],
    ['a function', () => 0, /an open transaction of pg/],
  ])('%s is refused', (_, tx, way) => {
    expect(() => asQuery(tx, 'enqueue.tx')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', subject: 'enqueue.tx' }),
    )
    expect(() => asQuery(tx)).toThrow(way)
  })
})
