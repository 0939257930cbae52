// What is asked all the time costs the same however many jobs there are: no plan of it walks through
// the jobs or the turns, and the plain claim sorts nothing but what it found.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DatabaseSync } from '@photostructure/sqlite'
import { openFile, wrap } from '../../src/stores/sqlite/driver.js'
import type { Handle } from '../../src/stores/sqlite/driver.js'
import { plainStatements } from '../../src/stores/sqlite/plainly.js'
import { VERSIONS } from '../../src/stores/sqlite/schema.js'
import { statements } from '../../src/stores/sqlite/statements.js'
import type { Statement } from '../../src/stores/sql/statements.js'

const HOT: readonly Statement[] = [
  ...(['job.add', 'job.deleted', 'job.find', 'job.read', 'job.change', 'job.remove'] as const),
  ...(['job.complete', 'job.due', 'job.take', 'line.first', 'lane.first', 'lane.ready'] as const),
  ...(['lane.next', 'job.expired', 'job.spent', 'job.orphans', 'ended.past', 'page.any'] as const),
  ...(['page.running', 'queue.someRunning', 'group.running', 'group.holder'] as const),
  ...([
    'group.holding',
    'node.held',
    'node.lost',
    'node.holds',
    'node.remember',
    'turn.add',
    'turn.first',
  ] as const),
  ...(['turn.move', 'turn.close', 'turn.open', 'turn.openDue'] as const),
  ...(['turn.remove', 'key.started', 'kin.children'] as const),
  ...([
    'claim.peek',
    'claim.look',
    'claim.next',
    'sweep.peek',
    'queue.running',
    'node.holding',
  ] as const),
  ...([
    'page.ended',
    'page.endedBound',
    'queue.firstDue',
    'lane.firstTimer',
    'line.ahead',
  ] as const),
  ...(['group.someRunning', 'backlog.read', 'backlog.move', 'backlog.forget'] as const),
  ...(['throttle.named', 'throttle.from'] as const),
]

/** A quiet queue: one job waits for tomorrow. Whoever shares the file may run ANALYZE, or PRAGMA optimize. */
const QUIET = `
  INSERT INTO millrace_jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt, place,
    due, inserted_at, since, lane, payload, codec)
  VALUES (1, 1, 'job 1', 0, 0, 'default', '', 0, 0, 0, 1, 1e12, 1, 1, 1, '1', 0);
  INSERT INTO millrace_turns (lane, queue, grp, priority, pass, tie) VALUES (1, 1, '', 0, 0, 0);
  ANALYZE`

describe.each([
  ['of tables that nobody analyzed', ''],
  ['of tables that were analyzed while one job waited', QUIET],
])('plans in SQLite %s', (_, filled) => {
  let handle: Handle
  const texts = statements('millrace_')

  beforeAll(async () => {
    handle = await openFile(':memory:')
    for (const { up } of VERSIONS) for (const text of up('millrace_')) handle.exec(text)
    handle.exec(filled)
  })
  afterAll(() => handle.close())

  const plain = plainStatements('millrace_')

  function plan(text: string): readonly string[] {
    const rows = handle.prepare(`EXPLAIN QUERY PLAN ${text}`).all([])
    return rows.map(({ detail }) => String(detail))
  }

  /** A partial index is walked through where it holds only what is wanted. */
  function walks(text: string): readonly string[] {
    return plan(text).filter(
      (line) =>
        /SCAN (millrace_)?(jobs|turns|j|u|i)\b/.test(line) &&
        !/USING (COVERING )?INDEX millrace_jobs_(held|expiring|spent)/.test(line),
    )
  }

  it.each(HOT)('%s walks through no table', (name) => {
    expect(walks(texts[name])).toEqual([])
  })

  /** Through all jobs of a queue, of which there may be a million. */
  function walksAQueue(text: string): readonly string[] {
    return plan(text).filter((line) => /INDEX \w+_jobs_(list|1) \(queue=\?\)/.test(line))
  }

  it.each(HOT)('%s walks through no queue', (name) => {
    expect(walksAQueue(texts[name])).toEqual([])
  })

  it.each(Object.entries(plain))('in one trip, %s walks through no table', (_, text) => {
    expect(walks(text)).toEqual([])
  })

  it('a page of all jobs is found in order, by their numbers', () => {
    const steps = [...plan(texts['dump.jobs']), ...plan(texts['dump.numbers'])]
    expect(steps.filter((line) => line.includes('TEMP B-TREE'))).toEqual([])
  })

  it('a backlog is counted by indexes alone', () => {
    const steps = plan(texts['backlog.count']).filter((line) => line.includes('jobs'))
    expect(steps.length).toBe(3)
    expect(steps.filter((line) => !/USING COVERING INDEX|INDEX \w+_jobs_held/.test(line))).toEqual(
      [],
    )
  })

  it.each([texts['job.take'], plain.first])('a plain claim finds its jobs in order', (text) => {
    const steps = plan(text)
    expect(steps.some((step) => /SEARCH .*USING INDEX millrace_jobs_ready/.test(step))).toBe(true)
    expect(steps.filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
  })

  it('no statement is prepared anew when it is run again, with whatever values', () => {
    const database = new DatabaseSync(':memory:')
    for (const { up } of VERSIONS) for (const text of up('millrace_')) database.exec(text)
    database.exec(filled)
    let asked = 0
    database.setAuthorizer(() => (asked++, 0)) // asked while a statement is prepared, and only then
    const all = Object.entries({ ...texts, ...plain })
    const again = all.filter(([, text]) => {
      const statement = wrap(database).prepare(text)
      const numbers = [...text.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number))
      const params = Array.from({ length: Math.max(0, ...numbers) }, () => '[1]')
      const asksMore = (): boolean => {
        database.exec('SAVEPOINT one')
        const before = asked
        try {
          statement.all(params)
        } catch (error) {
          if (!/constraint|mismatch/.test(String(error))) throw error // of values that fit no column
        }
        const more = asked > before
        database.exec('ROLLBACK TO one')
        return more
      }
      asksMore()
      return asksMore()
    })
    expect(all.length).toBeGreaterThan(100)
    expect(again.map(([name]) => name)).toEqual([])
    database.close()
  })
})
