// Two who enqueue make the same line at once: the one whose job stands first must be found, too.
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { millrace } from '../../src/millrace.js'
import { sharedPostgres } from '../servers/postgres.js'
import { somebodyWaits } from './waiting.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`a line that two make at once${server.why}`, () => {
  it('begins with the job that stands first', { timeout: 30_000 }, async () => {
    const url = await server.database()
    const mill = millrace(url as 'postgres://db', { upkeep: false })
    const other = new pg.Client({ connectionString: url })
    await other.connect()
    try {
      const queue = mill.queue('q')
      await queue.enqueue('before', { group: 'g' })
      await (await queue.take())?.complete()
      // Somebody else has made the line, for a job that stands later, and has not committed.
      await other.query(`
        BEGIN;
        DELETE FROM millrace.turns;
        INSERT INTO millrace.turns (lane, queue, grp, priority, pass, tie, floor)
        SELECT l.id, l.queue, 'g', 0, 0, 1000000000000, 1e15 FROM millrace.lanes AS l`)
      const enqueued = queue.enqueue('first', { group: 'g' })
      await somebodyWaits(other)
      await other.query('COMMIT')
      await enqueued
      expect((await queue.take())?.payload).toBe('first')
    } finally {
      await other.end()
      await mill.close()
    }
  })
})
