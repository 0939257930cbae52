/**
 * What is asked nearly always (`OneTrip`), each in a transaction of few statements that nothing is
 * waited for within: whether all is as it was when it was last looked at in full, and then what is
 * to be done.
 */
import { HOLDS, OWN_ID, RECEIPT } from '../../job/book/columns.js'
import type { Alike, OneTrip, PlainEnds, PlainTake, PlainTaken, Seen } from '../sql/port.js'
import type { Taken } from '../sql/row.js'
import { settledRow } from '../sql/settled.js'
import type { Statement } from '../sql/statements.js'
import type { Connection } from './connection.js'
import { listed } from './driver.js'

export class Plainly implements OneTrip {
  readonly #connection: Connection
  readonly #own: ReturnType<typeof plainStatements>
  readonly #texts: Readonly<Record<Statement, string>>

  constructor(connection: Connection, texts: Readonly<Record<Statement, string>>, prefix: string) {
    this.#connection = connection
    this.#texts = texts
    this.#own = plainStatements(prefix)
  }

  async insert(lot: Alike, { onSeen }: Seen): Promise<ReadonlySet<string> | null> {
    const { queue, revision, lane, task, priority, flags, codec, lifespan } = lot
    const { ids, groups, payloads } = lot
    const { is, isTaken, add } = this.#own
    const texts = this.#texts
    const added = await this.#connection.step('durable', ({ now, all, run, giveUp }) => {
      const [known] = all<{ pass: number }>(is, [queue, revision])
      if (known === undefined) return null
      // An id of ours is taken only by its own repetition.
      const areTheirs = (flags & OWN_ID) !== 0
      if (areTheirs && all(isTaken, [queue, listed(ids)]).length > 0) return null
      const last = lastOf(all(texts['seq.take'], [ids.length]))
      const first = last - ids.length + 1
      const expires = lifespan === null ? null : now + lifespan
      const alike = [queue, flags, task, priority, now, lane, expires, codec]
      const groupsAdded = new Map<string, number>()
      for (let at = 0; at < ids.length; at++) {
        const added = run(add, [...alike, first + at, ids[at], groups[at], payloads[at]])
        if (added === 0) return giveUp(null)
        if (!groupsAdded.has(groups[at])) groupsAdded.set(groups[at], first + at)
      }
      for (const [group, tie] of groupsAdded) {
        run(texts['turn.add'], [lane, queue, group, priority, known.pass, tie, now])
      }
      return new Set(ids)
    })
    if (added === null) return null
    onSeen(false)
    await this.#connection.durable()
    return added
  }

  take(ask: PlainTake): Promise<PlainTaken | null> {
    const { scope, queue, revision, lane, lanes, node, worker, claim, limit, isLimited } = ask
    const texts = this.#texts
    return this.#connection.step('loose', ({ now, all, rows, run }) => {
      const fits = [queue, revision, scope, node, JSON.stringify(lanes), now]
      if (all(this.#own.isPlain, fits).length === 0) return null
      const found = rows<FirstRow>(this.#own.first, [lane, now, limit])
      const last = found.length === 0 ? 0 : lastOf(all(texts['token.take'], [found.length]))
      const before = last - found.length
      const taken = found.map((row, at) => takenOf(row, before + 1 + at))
      // A claim that finds nothing writes nothing, so that its commit costs nothing and tells nobody.
      if (taken.length > 0) {
        const seqs = JSON.stringify(taken.map(({ seq }) => seq))
        run(this.#own.take, [seqs, now, before, node, worker, claim])
        run(this.#own.touch, [scope, node, now])
        if (isLimited) run(texts['backlog.move'], [queue, -taken.length])
      }
      for (const { seq, extra } of taken) if (extra !== null) run(texts['key.started'], [now, seq])
      const more = taken.length === limit && all(texts['lane.ready'], [lane, now]).length > 0
      const [next] = more ? [{ due: now }] : all<{ due: number }>(texts['lane.next'], [lane])
      return { now, rows: taken, next: next?.due ?? null }
    })
  }

  complete(ends: PlainEnds): Promise<ReadonlySet<number> | null> {
    const { scope, queues, revisions, of, ids, tokens, receipts, opens } = ends
    const { is, group, complete, answer } = this.#own
    return this.#connection.step('durable', ({ now, all, run }) => {
      const passes = new Map<number, number>()
      for (const [at, queue] of queues.entries()) {
        const [known] = all<{ pass: number }>(is, [queue, revisions[at]])
        if (known === undefined) return null
        passes.set(queue, known.pass)
      }
      const left = new Map<string, [number, string, number]>()
      const done = tokens.filter((token, at) => {
        const job = [of[at], ids[at], token]
        const [named] = opens ? all<{ grp: string }>(group, job) : []
        const ended =
          receipts === null ? run(complete, job) : run(answer, [...job, receipts[at], now])
        if (ended > 0 && named !== undefined) {
          left.set(`${of[at]}/${named.grp}`, [of[at], named.grp, passes.get(of[at]) ?? 0])
        }
        return ended > 0
      })
      for (const turn of left.values()) run(this.#texts['turn.open'], turn)
      if (done.length > 0) run(this.#texts['settled.add'], [scope, now, ...settledRow(done, [])])
      return new Set(done)
    })
  }
}

/**
 * A job as `first` finds it. `rest`: null where it is due since it was inserted, has been through
 * nothing and says nothing of itself.
 */
type FirstRow = readonly [
  ...[seq: number, id: string, task: string, priority: number, place: number, payload: string],
  ...[rest: string | null],
]

type Rest = readonly [
  ...[due: number, insertedAt: number],
  ...[flags: number, crashes: number, attempt: number, maxAttempts: number | null],
  ...[codec: number, spec: string | null, extra: string | null],
]

/** It is taken. */
function takenOf(row: FirstRow, token: number): Taken {
  const [seq, id, task, priority, place, payload, rest] = row
  const isNew = rest === null
  const [due, inserted_at, flags, crashes, attempt, max_attempts, codec, spec, extra] = isNew
    ? NEW
    : (JSON.parse(rest) as Rest) // as: what `first` writes
  // No spread: it takes longer than the query.
  return {
    seq,
    id,
    flags: flags | HOLDS,
    task,
    priority,
    crashes,
    attempt: attempt + 1,
    max_attempts,
    place,
    due: isNew ? place : due,
    inserted_at: isNew ? place : inserted_at,
    token,
    payload,
    codec,
    spec,
    extra,
  }
}
const NEW: Rest = [0, 0, 0, 0, 0, null, 0, null, null]

/** Of a counter that was raised. */
function lastOf([{ last }]: readonly { readonly last: number }[]): number {
  return last
}

export const plainStatements = (t: string) => ({
  is: `SELECT pass FROM ${t}queues WHERE id = ?1 AND revision = ?2`,
  isTaken: `
    SELECT 1 FROM json_each(?2) AS k JOIN ${t}jobs AS j ON j.queue = ?1 AND j.id = k.value LIMIT 1`,
  add: `
    INSERT INTO ${t}jobs (seq, queue, id, state, flags, task, grp, priority, crashes, attempt, place,
                          due, inserted_at, since, lane, expires, payload, codec)
    VALUES (?9, ?1, ?10, 1, ?2, ?3, ?11, ?4, 0, 0, ?5, ?5, ?5, 0, ?6, ?7, ?12, ?8)
    ON CONFLICT DO NOTHING`,
  isPlain: `
    SELECT 1 FROM ${t}queues AS q
    WHERE q.id = ?1 AND q.revision = ?2 AND q.paused_since IS NULL AND q.transit IS NULL
      AND EXISTS (SELECT 1 FROM ${t}scopes AS c WHERE c.id = ?3 AND c.paused_since IS NULL)
      AND EXISTS (SELECT 1 FROM ${t}nodes AS n WHERE n.scope = ?3 AND n.node = ?4 AND n.gone = 0
                    AND n.last_beat >= ?6 - 30000)
      AND NOT EXISTS (SELECT 1 FROM ${t}lanes AS l
                      WHERE l.queue = ?1 AND l.id NOT IN (SELECT value FROM json_each(?5)))
      AND NOT EXISTS (SELECT 1 FROM ${t}throttles AS h WHERE h.scope = ?3 AND h.until > ?6)
      AND NOT EXISTS (SELECT 1 FROM ${t}paused_groups AS p WHERE p.queue = ?1)
      AND NOT EXISTS (SELECT 1 FROM ${t}turns AS u WHERE u.queue = ?1 AND u.grp > '')
      -- What has become due is brought where claims look first.
      AND NOT EXISTS (SELECT 1 FROM json_each(?5) AS k, ${t}jobs AS j
                      WHERE j.lane = k.value AND j.state IN (0, 3) AND j.due <= ?6)`,
  // Read first and changed then, where nobody else writes, takes two thirds of the time that one
  // statement takes which answers what it changed; and a value less in each row is a call less of the
  // driver, so what nearly every job has alike is one.
  first: `
    SELECT seq, id, task, priority, place, payload,
           CASE WHEN due = place AND inserted_at = place AND flags = 0
                     AND crashes = 0 AND attempt = 0 AND max_attempts IS NULL AND codec = 0
                     AND spec IS NULL AND extra IS NULL THEN NULL
                ELSE json_array(due, inserted_at, flags, crashes, attempt, max_attempts,
                                codec, spec, extra) END
    FROM ${t}jobs
    WHERE lane = ?1 AND state = 1 AND grp = '' AND (expires IS NULL OR expires >= ?2)
    ORDER BY priority DESC, place, seq LIMIT ?3`,
  take: `
    UPDATE ${t}jobs
    SET state = 2, attempt = attempt + 1, flags = flags | 64, since = ?2, lane = NULL,
        expires = NULL, token = ?3 + 1 + taken.key, node = ?4, worker = ?5, claim = ?6
    FROM json_each(?1) AS taken WHERE seq = taken.value`,
  // Who was heard a moment ago need not be.
  touch: `
    UPDATE ${t}nodes SET beats = beats + 1, last_beat = ?3
    WHERE scope = ?1 AND node = ?2 AND gone = 0 AND last_beat <= ?3 - 25`,
  group: `SELECT grp FROM ${t}jobs WHERE queue = ?1 AND id = ?2 AND token = ?3`,
  complete: `
    DELETE FROM ${t}jobs
    WHERE queue = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND extra IS NULL
      AND (flags & ${OWN_ID}) = 0 AND NOT EXISTS (SELECT 1 FROM ${t}kin WHERE parent = seq)`,
  answer: `
    UPDATE ${t}jobs
    SET state = ${RECEIPT}, flags = flags & ${OWN_ID}, crashes = 0, since = ?5, token = NULL, node = NULL,
        worker = NULL, claim = NULL, payload = NULL, codec = 0, spec = NULL, extra = ?4
    WHERE queue = ?1 AND id = ?2 AND state = 2 AND token = ?3 AND extra IS NULL
      AND (flags & ~${OWN_ID}) = ${HOLDS} AND NOT EXISTS (SELECT 1 FROM ${t}kin WHERE parent = seq)`,
})
