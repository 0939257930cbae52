// `millrace.enqueue` in SQL: a trigger's job, or another language's, is a job as any other.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { millrace } from '../../src/index.js'
import type { Millrace } from '../../src/index.js'
import { sharedPostgres } from '../servers/postgres.js'

const server = await sharedPostgres()

describe.skipIf(server.isMissing)(`enqueue in SQL${server.why}`, () => {
  let mill: Millrace
  let client: pg.Client

  beforeAll(async () => {
    const url = await server.database()
    // No poll comes in time: whoever hears of a job hears it by its hint.
    mill = millrace(url, { poll: '10m' })
    await mill.queue('warm').enqueue(1)
    client = new pg.Client({ connectionString: url })
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await mill.close()
  })

  const enqueue = async (
    queue: unknown,
    payload: unknown,
    options: unknown = {},
  ): Promise<string> => {
    const text = 'SELECT millrace.enqueue($1, $2::jsonb, $3::jsonb) AS id'
    const values = [queue, JSON.stringify(payload), JSON.stringify(options)]
    const { rows } = await client.query<{ id: string }>(text, values)
    return rows[0].id
  }

  it('is heard of when the transaction commits, and not before', async () => {
    const ran: unknown[] = []
    const done = new Promise<void>((resolve) =>
      mill.queue('heard').work((payload) => {
        ran.push(payload)
        resolve()
      }),
    )
    await client.query('BEGIN')
    await enqueue('heard', { never: true })
    await client.query('ROLLBACK')
    await client.query('BEGIN')
    const id = await enqueue('heard', { to: 'ada' })
    expect(await mill.queue('heard').get(id)).toBeNull()
    await client.query('COMMIT')
    await done
    expect(ran).toEqual([{ to: 'ada' }])
  })

  it('makes ids as Millrace does, which sort by time', async () => {
    const ids = [await enqueue('ids', 1)]
    await client.query('SELECT pg_sleep(0.002)')
    ids.push(await enqueue('ids', 2), (await mill.queue('ids').enqueue(3)).id)
    expect(ids.every((id) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id))).toBe(true)
    expect(ids[0] < ids[1]).toBe(true)
    // The clocks are one: the first ten digits are milliseconds.
    expect(ids[2].slice(0, 6)).toBe(ids[1].slice(0, 6))
  })

  it('says all that its options say', async () => {
    const options = {
      id: 'mine',
      priority: 7,
      group: 'g',
      task: 't',
      attempts: 3,
      timeout: 5000,
      tags: ['a', 'b'],
      at: '2031-01-02T03:04:05Z',
    }
    expect(await enqueue('said', [1, 'zwei', null], options)).toBe('mine')
    expect(await enqueue('said', 'again', options)).toBe('mine')
    expect(await mill.queue('said').get('mine')).toMatchObject({
      payload: [1, 'zwei', null],
      state: 'scheduled',
      priority: 7,
      group: 'g',
      task: 't',
      maxAttempts: 3,
      tags: ['a', 'b'],
      dueAt: new Date('2031-01-02T03:04:05Z'),
    })
    const late = await mill.queue('said').get(await enqueue('said', 1, { delay: 3_600_000 }))
    expect(late?.state).toBe('scheduled')
  })

  it('is given out in the order of priorities, groups too', async () => {
    const queue = mill.queue('order')
    for (const [payload, options] of [
      ['low', { priority: -1 }],
      ['high', { priority: 5 }],
      ['grouped', { group: 'g' }],
    ] as const) {
      await enqueue('order', payload, options)
    }
    const taken: unknown[] = []
    for (let jobs = 0; jobs < 3; jobs++) {
      const job = await queue.take()
      taken.push(job?.payload)
      await job?.complete()
    }
    expect(taken).toEqual(['high', 'grouped', 'low'])
    expect(await queue.length()).toBe(0)
  })

  it('goes into the scope that is named', async () => {
    await enqueue('q', 1, { scope: 'elsewhere' })
    expect(await mill.queue('q').length()).toBe(0)
  })

  it('serves a trigger', async () => {
    await client.query(`
      CREATE TABLE orders (id int);
      CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM millrace.enqueue('orders', to_jsonb(NEW));
        RETURN NEW;
      END $$;
      CREATE TRIGGER tells AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION told();
      INSERT INTO orders SELECT generate_series(1, 3)`)
    const payloads = []
    for (let jobs = 0; jobs < 3; jobs++) payloads.push((await mill.queue('orders').take())?.payload)
    expect(payloads).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  it('heeds the limits of its queue', async () => {
    const queue = mill.queue('limited', { limits: { payloadBytes: 20, backlog: 2 } })
    await queue.enqueue(1)
    await expect(enqueue('limited', 'x'.repeat(30))).rejects.toThrow(
      /32 bytes, queue limited takes 20/,
    )
    await enqueue('limited', 2)
    await expect(enqueue('limited', 3)).rejects.toThrow(/queue limited is full: 2 of 2 wait/)
  })

  it.each([
    [{ unique: 'k' }, /unique keys are not known here/],
    [{ dealy: 1 }, /an option must be one of .*, received dealy/],
    [{ delay: -1 }, /delay must be whole milliseconds from 0, received -1/],
    [{ delay: 1.5 }, /delay must be/],
    [{ delay: '1s' }, /delay must be/],
    [{ delay: 1, at: 1 }, /delay must be left out where at is given/],
    [{ at: 'tomorrowish' }, /at must be an instant/],
    [{ at: true }, /at must be an instant/],
    [{ priority: 101 }, /priority must be a whole number from -100 to 100/],
    [{ priority: null }, /priority must be/],
    [{ attempts: 0 }, /attempts must be/],
    [{ timeout: 0 }, /timeout must be/],
    [{ group: '' }, /group must be a text of 1 to 512 bytes/],
    [{ id: 7 }, /id must be a text/],
    [{ task: 'x'.repeat(513) }, /task must be/],
    [{ tags: 'a' }, /tags must be an array/],
    [{ tags: [1] }, /tags must be at most 32/],
    [[], /the options must be a JSON object/],
  ])('refuses %j', async (options, message) => {
    await expect(enqueue('refused', 1, options)).rejects.toThrow(message)
    expect(await mill.queue('refused').length()).toBe(0)
  })

  it('refuses a queue without a name, and no payload at all', async () => {
    await expect(enqueue('', 1)).rejects.toThrow(/queue must be a text/)
    await expect(enqueue(null, 1)).rejects.toThrow(/queue must be a text/)
    const none = client.query("SELECT millrace.enqueue('q', NULL)")
    await expect(none).rejects.toThrow(/the payload must be JSON/)
  })
})
