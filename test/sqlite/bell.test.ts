// What another process committed is heard of though the system told of its writes before the commit
// could be seen, and nothing is written after it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bell } from '../../src/stores/sqlite/bell.js'
import type { Connection } from '../../src/stores/sqlite/connection.js'

let folder: string

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'millrace-bell-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/** A connection that sees another commit with its look of that number. */
function seeing(commits: readonly number[]) {
  const looked = { times: 0, version: 0 }
  const version = async (): Promise<number> => {
    if (commits.includes(++looked.times)) looked.version++
    return looked.version
  }
  return { looked, connection: { version } as Connection } // as: a bell asks nothing else of it
}

/** Hints, as somebody who waits for them hears them. */
function listening(file: string) {
  const waiting: (() => void)[] = []
  let heard = 0
  const told = (): void => {
    heard++
    for (const resolve of waiting.splice(0)) resolve()
  }
  const bell = new Bell(file, 'default', told, () => undefined)
  const next = (): Promise<void> => new Promise((resolve) => waiting.push(resolve))
  return { bell, next, heard: () => heard }
}

describe('a bell', () => {
  it.each([
    ['with the look that a write brings', 2],
    ['a moment after it', 3],
    ['when its process was held up between write and commit', 4],
  ])('tells of a commit that is seen %s', async (_, look) => {
    const file = join(folder, 'jobs.db')
    writeFileSync(`${file}-wal`, '')
    const { connection } = seeing([look])
    const { bell, next, heard } = listening(file)
    await bell.hear(file, connection)
    const told = next()
    writeFileSync(`${file}-wal`, 'a write')
    await told
    expect(heard()).toBe(1)
    bell.close()
  })

  it('looks three times for each write that comes alone, and no more when it is closed', async () => {
    const file = join(folder, 'jobs.db')
    writeFileSync(`${file}-wal`, '')
    const { connection, looked } = seeing([4, 7])
    const { bell, next } = listening(file)
    await bell.hear(file, connection)
    for (const times of [4, 7]) {
      const told = next()
      writeFileSync(`${file}-wal`, `write ${times}`)
      await told
      expect(looked.times).toBe(times)
    }
    writeFileSync(`${file}-wal`, 'one more')
    bell.close()
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(looked.times).toBe(7)
  })
})
