/**
 * Bringing the tables up to date, under SQLite's own lock: any number of processes may open at once,
 * one of them does it. Tables of a newer version are refused.
 */
import { millraceError } from '../../job/errors.js'
import type { Handle } from './driver.js'
import { VERSIONS } from './schema.js'

export function migrate(handle: Handle, t: string): void {
  handle.exec('BEGIN IMMEDIATE')
  try {
    handle.exec(`CREATE TABLE IF NOT EXISTS ${t}versions (version INTEGER PRIMARY KEY)`)
    const rows = handle.prepare(`SELECT max(version) AS version FROM ${t}versions`).all([])
    const version = Number(rows[0].version ?? 0)
    if (version > VERSIONS.length) throw newer(version)
    for (let next = version; next < VERSIONS.length; next++) {
      for (const sql of VERSIONS[next](t)) handle.exec(sql)
      handle.exec(`INSERT INTO ${t}versions (version) VALUES (${next + 1})`)
    }
    handle.exec('COMMIT')
  } catch (error) {
    handle.exec('ROLLBACK')
    throw error
  }
}

function newer(version: number): Error {
  return millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: 'store sqlite',
    expected: `tables of version ${VERSIONS.length} or older`,
    received: `version ${version}`,
    remedy: 'a newer Millrace has opened this database: run that one here, too',
  })
}
