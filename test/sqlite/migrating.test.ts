// Tables go up and down by their versions, all or nothing, and code refuses only what is beyond it.
// The versions here are made up: three, of which the third is not for code of the first.
import { afterEach, describe, expect, it } from 'vitest'
import { VirtualClock, seededChance } from 'millrace/testing'
import { Patience } from '../../src/stores/sqlite/connection.js'
import { openFile } from '../../src/stores/sqlite/driver.js'
import type { Handle } from '../../src/stores/sqlite/driver.js'
import { SqliteGround, tablesOf } from '../../src/stores/sqlite/migrate.js'
import { migrate, planned, refuseBeyond, script } from '../../src/stores/sql/migrating.js'
import type { Tables, Version } from '../../src/stores/sql/migrating.js'

const version = (name: string, compatibleFrom: number): Version => ({
  compatibleFrom,
  up: (t) => [`CREATE TABLE ${t}${name} (queue)`, `INSERT INTO ${t}${name} VALUES (1)`],
  down: (t) => [`DROP TABLE ${t}${name}`],
})
const VERSIONS = [version('jobs', 1), version('second', 1), version('third', 3)]
/** What code of this version knows. */
const code = (known: number): Tables => ({
  ...tablesOf('t_'),
  versions: VERSIONS.slice(0, known),
})

let handle: Handle | null = null
afterEach(() => handle?.close())

async function fresh(): Promise<{ ground: SqliteGround; names: () => string[] }> {
  const opened = await openFile(':memory:')
  handle = opened
  const ground = new SqliteGround(opened, 't_', new Patience(new VirtualClock(), seededChance(1)))
  const names = (): string[] =>
    opened
      .prepare('SELECT name FROM sqlite_master ORDER BY name')
      .all([])
      .map(({ name }) => String(name))
  return { ground, names }
}

describe('tables', () => {
  it('go up one version after another, and stay where they are when they are there', async () => {
    const { ground, names } = await fresh()
    expect(await migrate(code(1), ground, 'newest')).toMatchObject({ from: 0, to: 1 })
    expect(names()).toEqual(['t_jobs', 't_versions'])
    expect(await migrate(code(3), ground, 'newest')).toMatchObject({ from: 1, to: 3 })
    expect(names()).toEqual(['t_jobs', 't_second', 't_third', 't_versions'])
    expect(await ground.standing()).toEqual({ version: 3, compatibleFrom: 3 })
    expect((await migrate(code(3), ground, 'newest')).statements).toEqual([])
  })

  it('of a neighbour that still can be worked with are left to it; others are refused', async () => {
    const { ground } = await fresh()
    await migrate(code(2), ground, 'newest')
    const old = await migrate(code(1), ground, 'newest')
    expect(old).toEqual({ from: 2, to: 2, statements: [] })
    expect(await ground.standing()).toEqual({ version: 2, compatibleFrom: 1 })
    await migrate(code(3), ground, 'newest')
    for (const known of [1, 2]) {
      await expect(migrate(code(known), ground, 'newest')).rejects.toMatchObject({
        code: 'FORMAT_UNSUPPORTED',
        received: 'version 3, for code from version 3 on',
      })
    }
    expect(() => refuseBeyond(code(3), { version: 3, compatibleFrom: 3 })).not.toThrow()
  })

  it('go back, each by what takes it back, and are gone at 0', async () => {
    const { ground, names } = await fresh()
    await migrate(code(3), ground, 'newest')
    await migrate(code(3), ground, { downTo: 1, dropsJobs: false })
    expect(names()).toEqual(['t_jobs', 't_versions'])
    expect(await ground.standing()).toEqual({ version: 1, compatibleFrom: 1 })
    const toNothing = { downTo: 0, dropsJobs: false }
    await expect(migrate(code(3), ground, toNothing)).rejects.toThrow('say --drop-jobs')
    await migrate(code(3), ground, { downTo: 0, dropsJobs: true })
    expect(names()).toEqual([])
  })

  it('are not taken back by code that does not know how they were made, nor forward by down', async () => {
    const { ground, names } = await fresh()
    await migrate(code(2), ground, 'newest')
    const down = (downTo: number) => ({ downTo, dropsJobs: true })
    await expect(migrate(code(1), ground, down(0))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    })
    await expect(migrate(code(3), ground, down(3))).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
    expect(names()).toEqual(['t_jobs', 't_second', 't_versions'])
  })

  it('are as before when any statement on the way fails', async () => {
    const { ground, names } = await fresh()
    await migrate(code(1), ground, 'newest')
    const { statements } = await planned(code(3), ground, 'newest')
    expect(statements.length).toBeGreaterThan(5)
    for (let at = 0; at < statements.length; at++) {
      const before = names()
      let done = 0
      const failing = ground.alone(async (run) => {
        for (const sql of statements) {
          if (done++ === at) throw new Error('killed')
          await run(sql)
        }
      })
      await expect(failing).rejects.toThrow('killed')
      expect(names()).toEqual(before)
      expect(await ground.standing()).toEqual({ version: 1, compatibleFrom: 1 })
    }
  })

  it('are the same when their script is run by hand', async () => {
    const { ground, names } = await fresh()
    handle?.exec(script(code(3), 0, 2))
    expect(await ground.standing()).toEqual({ version: 2, compatibleFrom: 1 })
    handle?.exec(script(code(3), 2, 3))
    expect(names()).toEqual(['t_jobs', 't_second', 't_third', 't_versions'])
    handle?.exec(script(code(3), 3, 0))
    expect(names()).toEqual([])
  })
})
