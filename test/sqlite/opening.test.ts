// What is wrong with the place of a database is said with a code and the way out, and nothing is made
// or changed there.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { preparePlace } from '../../src/stores/sqlite/opening.js'
import { sqliteStore } from '../../src/stores/sqlite/sqlite-store.js'
import { betterHandle } from './better-handle.js'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-opening-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = async (path: string): Promise<void> => millrace(sqliteStore({ path })).open()

describe('a database is opened', () => {
  it('in a folder that is not there: it is made, for its owner only', async () => {
    const mill = millrace(`sqlite:${join(folder, 'a', 'b', 'jobs.db')}`)
    await mill.queue('q').enqueue(1)
    await mill.close()
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'a', 'b')).mode & 0o777).toBe(0o700)
  })

  it('never where a file is that is none: it stays as it is', async () => {
    const path = join(folder, 'notes.txt')
    const text = 'these are my notes, and there are many of them. '.repeat(100)
    writeFileSync(path, text)
    await expect(open(path)).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' })
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['notes.txt'])
  })

  it('never where a folder is, or below a file', async () => {
    mkdirSync(join(folder, 'jobs.db'))
    await expect(open(join(folder, 'jobs.db'))).rejects.toMatchObject({ code: 'OPTION_INVALID' })
    writeFileSync(join(folder, 'file'), '')
    await expect(open(join(folder, 'file', 'jobs.db'))).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    })
  })

  it.each([':memory:', ''])('never as %o, which no other process could see', async (path) => {
    await expect(open(path)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })

  it.each(['nfs', 'cifs'])('never on %s', (name) => {
    const look = () => ({ name, keeps: 'power' as const, ordersAppends: false })
    expect(() => preparePlace(join(folder, 'jobs.db'), look)).toThrow(
      expect.objectContaining({ code: 'STORE_UNREACHABLE', received: name }),
    )
    expect(readdirSync(folder)).toEqual([])
  })

  it('where it was named, though the process has gone elsewhere until then', () => {
    mkdirSync(join(folder, 'elsewhere'))
    const module = new URL('../../dist/stores/sqlite/sqlite-store.js', import.meta.url).href
    const { stderr } = spawnSync(process.execPath, ['--input-type=module'], {
      encoding: 'utf8',
      cwd: folder,
      input: `
          const { sqliteStore } = await import(${JSON.stringify(module)})
          const store = sqliteStore({ path: './jobs.db' })
          process.chdir('elsewhere')
          await store.open({ scope: 'default' })
          const { data } = store.beatRecipe() ?? { data: { path: process.cwd() } }
          if (!data.path.startsWith('/')) console.error('beats go to ' + data.path)
          await store.close()`,
    })
    expect(stderr).toBe('')
    expect(readdirSync(folder)).toEqual(['elsewhere', 'jobs.db'])
    expect(readdirSync(join(folder, 'elsewhere'))).toEqual([])
  })

  // Who is root may write anywhere: then a process tries that has become somebody else.
  it('never where it may not be written to', () => {
    const shut = join(folder, 'shut')
    mkdirSync(shut)
    writeFileSync(join(shut, 'there.db'), '')
    chmodSync(shut, 0o555)
    chmodSync(join(shut, 'there.db'), 0o444)
    chmodSync(folder, 0o755)
    const nobody = 65_534
    const module = new URL('../../dist/stores/sqlite/opening.js', import.meta.url).href
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module'], {
      encoding: 'utf8',
      input: `
          const { preparePlace } = await import(${JSON.stringify(module)})
          if (process.getuid() === 0) { process.setgid(${nobody}); process.setuid(${nobody}) }
          for (const name of ['new.db', 'there.db', 'below/new.db']) {
            try { preparePlace(${JSON.stringify(shut)} + '/' + name); console.log('opened') }
            catch (error) { console.log(error.code) }
          }`,
    })
    expect(stderr).toBe('')
    expect(stdout.trim().split('\n')).toEqual(Array.from({ length: 3 }, () => 'STORE_UNREACHABLE'))
    chmodSync(shut, 0o755)
  })
})

it('a disk that is full while the tables are made is told as that, though SQLite has rolled back', async () => {
  const database = betterHandle(join(folder, 'jobs.db'))
  let isFull = true
  const exec = (sql: string): void => {
    if (!isFull || !/CREATE TABLE \S*jobs/.test(sql)) return void database.exec(sql)
    database.exec('ROLLBACK')
    throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' })
  }
  const mill = millrace(sqliteStore({ database: { ...database, exec } }))
  await expect(mill.open()).rejects.toMatchObject({
    code: 'STORE_UNREACHABLE',
    received: 'database or disk is full',
  })
  isFull = false
  await mill.open()
  await mill.close()
  database.close()
})
