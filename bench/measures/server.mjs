// What PostgreSQL gives by itself: rows of a batch inserted by one statement, and claimed by one and
// deleted by the next, on one connection, each batch made durable. This is the ceiling of any queue that
// keeps a row for each job: nothing is encoded, checked, gated or remembered.
import pg from 'pg'
import { payload } from '../payload.mjs'

const CREATE = `
  CREATE TABLE raw (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL, worker int);
  CREATE INDEX raw_waiting ON raw (id) WHERE worker IS NULL;`
const INSERT = 'INSERT INTO raw (payload) SELECT unnest($1::text[])'
const CLAIM = `
  UPDATE raw SET worker = 1
  WHERE id = ANY (ARRAY (
    SELECT id FROM raw WHERE worker IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING id, payload`
const DELETE = 'DELETE FROM raw WHERE id = ANY ($1::bigint[])'

export async function server({ url, seconds, batch }) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(CREATE)
  const rows = Array.from({ length: batch }, (_, n) => JSON.stringify(payload(n)))
  const ask = (name, text, values) => client.query({ name, text, values })
  const insert = await rate(seconds, async () => {
    await ask('insert', INSERT, [rows])
    return batch
  })
  // So many that they are not all taken before the time is up; bulk, since it is not measured.
  for (let n = 0; n < 100_000; n += 1000) {
    await ask('insert', INSERT, [Array.from({ length: 1000 }, (_, at) => rows[at % batch])])
  }
  const process = await rate(seconds, async () => {
    const claimed = await ask('claim', CLAIM, [batch])
    await ask('delete', DELETE, [claimed.rows.map(({ id }) => id)])
    return claimed.rows.length
  })
  await client.end()
  return { insert, process }
}

async function rate(seconds, run) {
  let jobs = 0
  await run()
  const begun = performance.now()
  for (const until = begun + seconds * 1000; performance.now() < until;) jobs += await run()
  return (jobs / (performance.now() - begun)) * 1000
}
