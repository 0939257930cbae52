// What the makers of stores are given: refused by name where it is written, before anything opens.
import { describe, expect, it } from 'vitest'
import { fileStore } from 'millrace/file'
import { maildirStore } from 'millrace/maildir'
import { postgresStore } from 'millrace/postgres'
import { sqliteStore } from 'millrace/sqlite'
import { addressOf } from '../../src/stores/postgres/address.js'
import { fault } from './harness.js'

const makers = { fileStore, maildirStore, postgresStore, sqliteStore }
const make = (maker: keyof typeof makers, options: unknown): Promise<string> =>
  fault(() => (makers[maker] as (given: unknown) => unknown)(options)) // as: what JavaScript may hand in

const url = 'postgres://somebody:secret@127.0.0.1/nowhere'
const pool = { connect: () => null, query: () => null }

describe('the options of a store', () => {
  it.each([
    ['fileStore', undefined, 'fileStore: expected an object'],
    ['fileStore', {}, 'fileStore.path: expected a folder'],
    ['fileStore', { path: 'q', durabilty: 'process' }, "Did you mean 'durability'"],
    ['fileStore', { path: 'q', durability: 'never' }, 'fileStore.durability'],
    ['maildirStore', { path: 5 }, 'maildirStore.path'],
    ['maildirStore', { path: 'm', access: 'read' }, 'maildirStore.access'],
    ['sqliteStore', {}, 'expected `path` or `database`, received "neither"'],
    ['sqliteStore', { path: undefined }, 'sqliteStore.path'],
    ['sqliteStore', { database: {} }, 'sqliteStore.database: expected a DatabaseSync'],
    ['postgresStore', {}, 'expected `url` or `pool`, received "neither"'],
    ['postgresStore', { url, pool }, 'received "both"'],
    ['postgresStore', { url: undefined }, 'postgresStore.url'],
    ['postgresStore', { url, shema: 'x' }, "Did you mean 'schema'"],
    ['postgresStore', { url, schema: '' }, 'postgresStore.schema'],
    ['postgresStore', { pool: {} }, 'postgresStore.pool: expected a pool of pg, or a PGlite'],
  ] as const)('%s(%j) is refused by name', async (maker, options, words) => {
    const said = await make(maker, options)
    expect(said).toMatch(/^MillraceError: OPTION_INVALID/)
    expect(said).toContain(words)
    expect(said).not.toContain('secret')
  })

  it('are taken where they are right, without anything being opened', async () => {
    expect(await make('fileStore', { path: 'q', durability: undefined })).toBe('fine')
    expect(await make('postgresStore', { pool })).toBe('fine')
    expect(await make('postgresStore', { url, schema: 'X y"z' })).toBe('fine')
  })

  it('name one schema, be it in the URL', async () => {
    const inUrl = `${url}?sslmode=disable&schema=jobs`
    expect(await make('postgresStore', { url: inUrl })).toBe('fine')
    expect(await make('postgresStore', { url: inUrl, schema: 'jobs' })).toBe('fine')
    const said = await make('postgresStore', { url: inUrl, schema: 'others' })
    expect(said).toContain('OPTION_INVALID store URL ?schema')
    expect(said).not.toContain('secret')
    expect(await make('postgresStore', { url: `${url}?schema=` })).toContain('name of a schema')
    expect(addressOf(inUrl)).toEqual({ url: `${url}?sslmode=disable`, schema: 'jobs' })
    expect(addressOf(url)).toEqual({ url, schema: 'millrace' })
    expect(addressOf(url, 'jobs')).toEqual({ url, schema: 'jobs' })
  })
})
