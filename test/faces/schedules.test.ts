// Schedules as users have them: declared, fired at their moments, listed, changed, run by hand; and
// what is refused. Virtual time; what other nodes do is played by other Millraces on the same memory.
import { describe, expect, it } from 'vitest'
import { defineTask } from 'millrace'
import type { ScheduleOptions } from 'millrace'
import { testMillrace } from 'millrace/testing'
import { VirtualClock, seededChance } from '../../src/time/virtual.js'
import { openSimulated } from '../conformance/file-medium.js'
import { bench, fault, schema } from './harness.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Where virtual clocks begin. */
const START = Date.UTC(2000, 0, 1)

const iso = (moments: readonly (Date | null)[]) => moments.map((at) => at?.toISOString() ?? null)

describe('a schedule', () => {
  it('brings a job at each of its moments, also where nobody works', async () => {
    const mill = testMillrace()
    const queue = mill.queue('reports')
    const payload = { of: 'sales' }
    await queue.schedule('daily', {
      cron: '0 9 * * *',
      timeZone: 'Europe/Paris',
      payload,
      overlap: 'queue',
    })
    await mill.advance('3d')
    const jobs = mill.enqueued('reports')
    expect(jobs.map((job) => job.enqueuedAt.toISOString())).toEqual([
      '2000-01-01T08:00:00.000Z',
      '2000-01-02T08:00:00.000Z',
      '2000-01-03T08:00:00.000Z',
    ])
    expect(jobs[0].payload).toEqual(payload)
    await mill.close()
  })

  it('says in each job which slot it is for, and in its options what each job is like', async () => {
    const mill = testMillrace()
    const queue = mill.queue<number>('q')
    const options = { priority: 'high', group: 'g', tags: ['t'], attempts: 3 } as const
    await queue.schedule('s', { every: '90s', payload: 7, meta: { by: 'me' }, ...options })
    const seen: unknown[] = []
    queue.work((payload, job) => {
      const { priority, group, tags, maxAttempts, meta } = job
      seen.push({ payload, priority, group, tags, maxAttempts, meta })
    })
    await mill.advance('2m')
    const slot = new Date(START + 90_000).toISOString()
    expect(seen).toEqual([
      {
        ...{ payload: 7, priority: 10, group: 'g', tags: ['t'], maxAttempts: 3 },
        meta: { by: 'me', schedule: { name: 's', slot } },
      },
    ])
    await mill.close()
  })

  it('is told like any enqueue', async () => {
    const { mill, clock } = bench()
    const told: unknown[] = []
    mill.on('job.enqueued', ({ queue, task, dueIn, state }) => {
      told.push({ queue, task, dueIn, state })
    })
    const queue = mill.queue('q')
    queue.work(() => undefined)
    await queue.schedule('s', { every: '1m', payload: 1 })
    await clock.advance(2 * MINUTE)
    const once = { queue: 'q', task: 'default', dueIn: 0, state: 'available' }
    expect(told).toEqual([once, once])
    await mill.close()
  })

  it('of a task takes what the task says, and checks its payload', async () => {
    const mill = testMillrace()
    const input = schema<number>((value) => {
      if (typeof value === 'number') return value
      throw new Error('a number, please')
    })
    const task = defineTask('count', { queue: 'q', input, attempts: 4, tags: ['x'] })
    const info = await mill.schedule(task, 's', { every: '1h', payload: 5 })
    expect([info.queue, info.task]).toEqual(['q', 'count'])
    const wrong = { every: '1h', payload: 'five' } as unknown as ScheduleOptions<number>
    expect(await fault(() => mill.schedule(task, 's', wrong))).toContain('a number, please')
    await mill.advance('1h')
    const [job] = mill.enqueued({ task: 'count' })
    expect([job.payload, job.maxAttempts, job.tags]).toEqual([5, 4, ['x']])
    await mill.close()
  })

  it('of one moment fires once, and may be declared again when it is over', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    const options = { at: new Date(START + HOUR), payload: 1 }
    expect((await queue.schedule('once', options)).plan).toBe('at 2000-01-01T01:00:00.000Z')
    await mill.advance('1d')
    const info = await queue.schedule('once', options)
    expect([info.next, info.revision, info.last?.at]).toEqual([null, 1, options.at])
    expect(mill.enqueued('q')).toHaveLength(1)
    const other = await fault(() => queue.schedule('once', { ...options, payload: 2 }))
    expect(other).toContain(
      'OPTION_INVALID queue("q").schedule("once").at: expected an instant to come',
    )
    await mill.close()
  })

  it('leaves a receipt of each job', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    queue.work(() => undefined)
    await queue.schedule('s', { every: '1m', payload: 1 })
    await clock.advance(MINUTE)
    const [{ last }] = await queue.schedules()
    expect(last?.at).toEqual(new Date(START + MINUTE))
    const again = await queue.enqueue(1, { id: last?.job.id ?? '' })
    expect(again.status).toBe('duplicate')
    await mill.close()
  })
})

describe('declaring', () => {
  it('the same again changes nothing, another one replaces', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    const first = await queue.schedule('s', { every: '1h', payload: { a: 1, b: Infinity } })
    expect(first).toEqual({
      ...{ name: 's', queue: 'q', task: 'default', plan: 'every 1h', revision: 1, paused: false },
      ...{ next: new Date(START + HOUR), last: null },
    })
    await mill.advance('30m')
    expect(await queue.schedule('s', { every: '1h', payload: { a: 1, b: Infinity } })).toEqual(
      first,
    )
    const other = await queue.schedule('s', { every: '1h', payload: 2 })
    expect([other.revision, other.next]).toEqual([2, first.next])
    const sooner = await queue.schedule('s', { every: '10m', payload: 2 })
    expect([sooner.revision, sooner.next]).toEqual([3, new Date(START + 40 * MINUTE)])
    await mill.advance('10m')
    expect(mill.enqueued('q').map(({ payload }) => payload)).toEqual([2])
    await mill.close()
  })

  it('from many processes at once is one schedule', async () => {
    const { mill, another } = bench()
    const mills = [mill, ...[1, 2, 3].map(() => another())]
    const infos = await Promise.all(
      mills.map((one) => one.queue('q').schedule('s', { every: '1h', payload: 1 })),
    )
    expect(infos.map(({ revision }) => revision)).toEqual([1, 1, 1, 1])
    await Promise.all(
      mills.map((one, at) => one.queue('q').schedule('s', { every: '1h', payload: 10 + at })),
    )
    const [{ revision }] = await mill.queue('q').schedules()
    expect(revision).toBe(5)
    await Promise.all(mills.map((one) => one.close()))
  })

  const payload = null
  it.each<[string, unknown, string]>([
    ['no plan', { payload }, "exactly one of 'cron', 'every' and 'at'"],
    ['two plans', { cron: '* * * * *', every: '1h', payload }, 'received "cron and every"'],
    ['a line that is none', { cron: '61 * * * *', payload }, 'Invalid value for minute'],
    ['a line that never comes', { cron: '0 0 30 2 *', payload }, 'a cron line that comes'],
    ['a date for a line', { cron: '2030-01-01T00:00:00', payload }, 'a date is no cron line'],
    [
      'an unknown zone',
      { cron: '@daily', timeZone: 'Mars/Base', payload },
      'the name of a time zone',
    ],
    [
      'a zone without a line',
      { every: '1h', timeZone: 'UTC', payload },
      "a zone only beside 'cron'",
    ],
    ['an interval too short', { every: '999ms', payload }, 'a span of at least 1s'],
    ['an endless interval', { every: Infinity, payload }, 'a span'],
    ['an instant that is over', { at: new Date(START), payload }, 'an instant to come'],
    ['an instant that is none', { at: new Date(NaN), payload }, 'a valid Date'],
    ['an unknown policy', { every: '1h', missed: 'some', payload }, "'skip' or 'once' or 'all'"],
    ['an unknown overlap', { every: '1h', overlap: 'all', payload }, "'skip' or 'queue'"],
    ['a jitter that is none', { every: '1h', jitter: -1, payload }, 'a span'],
    ['an unknown name', { every: '1h', timezone: 'UTC', payload }, "id you mean 'timeZone'"],
    ['a unique key', { every: '1h', unique: { key: 'k' }, payload }, 'schedule("s").unique'],
    ['no payload', { every: '1h' }, 'expected a payload'],
    ['a payload that is none', { every: '1h', payload: () => 1 }, 'PAYLOAD_INVALID'],
    ['a payload too large', { every: '1h', payload: 'x'.repeat(70_000) }, 'PAYLOAD_TOO_LARGE'],
    ['meta of our name', { every: '1h', payload, meta: { schedule: 1 } }, 'a name that is free'],
  ])('%s is refused at once', async (_, options, message) => {
    const mill = testMillrace()
    const said = await fault(() => mill.queue('q').schedule('s', options as ScheduleOptions))
    expect(said).toContain(message)
    expect(await mill.queue('q').schedules()).toEqual([])
    await mill.close()
  })

  it('keeps to the limit of its queue', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q', { limits: { payloadBytes: 10 } })
    const said = await fault(() => queue.schedule('s', { every: '1h', payload: '0123456789' }))
    expect(said).toContain('PAYLOAD_TOO_LARGE queue("q").schedule("s").payload')
    await mill.close()
  })
})

describe('operators', () => {
  it('list schedules page by page, and remove them', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    for (const name of ['c', 'a', 'b']) await queue.schedule(name, { every: '1h', payload: 1 })
    const page = await queue.schedules({ limit: 2 })
    expect([page.map(({ name }) => name), page.next !== null]).toEqual([['a', 'b'], true])
    const rest = await queue.schedules({ after: page.next ?? '' })
    expect([rest.map(({ name }) => name), rest.next]).toEqual([['c'], null])
    expect(await queue.unschedule('b')).toBe(true)
    expect(await queue.unschedule('b')).toBe(false)
    await mill.advance('1h')
    expect(mill.enqueued('q')).toHaveLength(2)
    await mill.close()
  })

  it('pause one, and what came meanwhile is over', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    await queue.schedule('s', { every: '1h', missed: 'all', payload: 1 })
    expect(await queue.pauseSchedule('s')).toBe(true)
    expect(await queue.pauseSchedule('s')).toBe(true)
    expect(await queue.pauseSchedule('none')).toBe(false)
    await mill.advance('5h')
    expect(mill.enqueued('q')).toEqual([])
    const paused = await queue.schedule('s', { every: '1h', missed: 'all', payload: 2 })
    expect([paused.paused, paused.next]).toEqual([true, null])
    expect(await queue.resumeSchedule('s')).toBe(true)
    expect(await queue.resumeSchedule('s')).toBe(true)
    expect(await queue.resumeSchedule('none')).toBe(false)
    await mill.advance('1h')
    expect(mill.enqueued('q')).toHaveLength(1)
    await mill.close()
  })

  it('run one now, beside its plan', async () => {
    const mill = testMillrace()
    const queue = mill.queue<number, number>('q')
    queue.work((payload, job) => (job.meta.schedule === undefined ? -1 : payload + 1))
    await queue.schedule('s', { every: '1h', payload: 1 })
    const job = await queue.runNow('s')
    expect(job.status).toBe('enqueued')
    await mill.runUntilIdle()
    expect(await job.result()).toBe(2)
    const [{ next, last }] = await queue.schedules()
    expect([next, last]).toEqual([new Date(START + HOUR), null])
    expect(await fault(() => queue.runNow('none'))).toContain('the name of a schedule')
    await mill.close()
  })

  it('see when one would fire next', async () => {
    const mill = testMillrace()
    const queue = mill.queue('q')
    const plan = { cron: '30 2 * * *', timeZone: 'America/New_York' }
    const options = { at: new Date('2026-03-07T00:00:00Z') }
    await mill.advance(options.at.getTime() - START)
    const shown = await queue.preview(plan, 3)
    expect(iso(shown)).toEqual([
      '2026-03-07T07:30:00.000Z',
      '2026-03-08T07:00:00.000Z', // there is no half past two that night
      '2026-03-09T06:30:00.000Z',
    ])
    const { next } = await queue.schedule('s', { ...plan, jitter: '10m', payload: 1 })
    const late = await queue.preview('s')
    expect(late).toHaveLength(5)
    expect(late[0]).toEqual(next)
    expect(late[1].getTime() - shown[1].getTime()).toBeGreaterThanOrEqual(0)
    expect(late[1].getTime() - shown[1].getTime()).toBeLessThan(10 * MINUTE)
    expect(await queue.preview({ at: new Date('2026-04-01T00:00Z') })).toHaveLength(1)
    expect(await fault(() => queue.preview('none'))).toContain('the name of a schedule')
    expect(await fault(() => queue.preview(plan, 0))).toContain('from 1 to 1000')
    await mill.close()
  })
})

describe('while nobody runs it', () => {
  /** Three schedules, nobody there for five hours and a half, and then somebody who works. */
  async function away(options: Pick<ScheduleOptions, 'overlap'> = {}) {
    const { mill, clock, another } = bench()
    for (const missed of ['skip', 'once', 'all'] as const) {
      await mill.queue(missed).schedule('s', { every: '1h', payload: 1, missed, ...options })
    }
    await mill.close()
    await clock.advance(5.5 * HOUR)
    const back = another()
    const ran = { skip: 0, once: 0, all: 0 }
    for (const missed of ['skip', 'once', 'all'] as const) {
      back.queue(missed).work(() => void ran[missed]++)
    }
    await clock.advance(1_000)
    return { back, clock, ran }
  }

  it('slots are left out, made up for once, or each', async () => {
    const { back, clock, ran } = await away()
    expect(ran).toEqual({ skip: 0, once: 1, all: 5 })
    await clock.advance(HOUR)
    expect(ran).toEqual({ skip: 1, once: 2, all: 6 })
    await back.close()
  })

  it('overlap holds for missed slots too, where it was said', async () => {
    const { back, ran } = await away({ overlap: 'skip' })
    expect(ran).toEqual({ skip: 0, once: 1, all: 1 })
    await back.close()
  })
})

describe('who runs schedules', () => {
  it('is every node with a worker, and each slot fires once', async () => {
    const { mill, clock, another } = bench()
    const mills = [mill, another(), another(), another({ upkeep: false })]
    const slots: unknown[] = []
    const queue = mill.queue('q')
    for (const one of mills) one.queue('q').work((_, job) => void slots.push(job.meta.schedule))
    await queue.schedule('fast', { every: '1s', payload: 1, overlap: 'queue' })
    await queue.schedule('slow', { cron: '*/2 * * * *', payload: 1, jitter: '30s' })
    await clock.advance(10 * MINUTE + 30_000)
    expect(slots).toHaveLength(630 + 5)
    expect(new Set(slots.map((slot) => JSON.stringify(slot))).size).toBe(630 + 5)
    await Promise.all(mills.map((one) => one.close()))
  })

  it('is nobody where upkeep is left to others, but runUntilIdle does it', async () => {
    const { mill, clock } = bench({ upkeep: false })
    const queue = mill.queue('q')
    let ran = 0
    queue.work(() => void ran++)
    await queue.schedule('s', { every: '1h', payload: 1, missed: 'all' })
    await clock.advance(3 * HOUR)
    expect(ran).toBe(0)
    expect(await mill.runUntilIdle()).toEqual({ ran: 3, idle: true })
    await mill.close()
  })

  it('hears of a schedule that another node declares, and of its end', async () => {
    const { mill, clock, another } = bench()
    let ran = 0
    mill.queue('q').work(() => void ran++)
    await clock.advance(MINUTE)
    const other = another()
    await other.queue('q').schedule('s', { every: '1s', payload: 1 })
    await clock.advance(3_000)
    expect(ran).toBe(3)
    await other.queue('q').unschedule('s')
    await clock.advance(MINUTE)
    expect(ran).toBe(3)
    await Promise.all([mill.close(), other.close()])
  })
})

describe('a slot', () => {
  it('passes while the job of the last one is unfinished', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { timeout: false })
    let free = (): void => undefined
    const begun: number[] = []
    queue.work(async () => {
      begun.push(clock.wall() - START)
      await new Promise<void>((resolve) => (free = resolve))
    })
    await queue.schedule('s', { every: '1m', payload: 1 })
    await clock.advance(5.5 * MINUTE)
    expect(begun).toEqual([MINUTE])
    free()
    await clock.advance(MINUTE)
    expect(begun).toEqual([MINUTE, 6 * MINUTE])
    free()
    await mill.close()
  })

  it('that a full queue refuses is told once, and fires when there is room', async () => {
    const { mill, clock } = bench()
    const told: string[] = []
    mill.on('job.refused', ({ queue, code }) => void told.push(`${queue} ${code}`))
    const queue = mill.queue('q', { limits: { backlog: 1 } })
    await queue.enqueue(0)
    mill.queue('elsewhere').work(() => undefined)
    await queue.schedule('s', { every: '1h', payload: 1 })
    await clock.advance(HOUR + 5 * MINUTE)
    expect(told).toEqual(['q QUEUE_FULL'])
    await queue.purge(['available'])
    await clock.advance(MINUTE)
    expect(await queue.length()).toBe(1)
    expect(told).toHaveLength(1)
    await mill.close()
  })

  it('never fires twice when the clock is set back, and fires when it is set forward', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const slots: string[] = []
    queue.work((_, job) => void slots.push(JSON.stringify(job.meta.schedule)))
    await queue.schedule('s', { every: '1h', payload: 1, missed: 'all' })
    await clock.advance(2 * HOUR)
    expect(slots).toHaveLength(2)
    clock.jumpWall(-90 * MINUTE)
    await clock.advance(2 * HOUR)
    expect(slots).toHaveLength(2)
    clock.jumpWall(3 * HOUR)
    await clock.advance(MINUTE)
    expect(slots).toHaveLength(5)
    expect(new Set(slots).size).toBe(5)
    await mill.close()
  })
})

describe('on the file store', () => {
  it('schedules survive the end of every process', async () => {
    const clock = new VirtualClock()
    const chance = seededChance(1)
    const medium = await openSimulated({ segmentBytes: 8 * 1024 })({ clock, chance })
    const ran: unknown[] = []
    for (const day of [0, 1, 2]) {
      const { mill } = bench({}, { store: await medium.connect(), clock })
      const queue = mill.queue('q')
      queue.work((_, job) => void ran.push(job.meta.schedule))
      if (day === 0) await queue.schedule('s', { cron: '*/5 * * * *', payload: 1, missed: 'all' })
      await clock.advance(16 * MINUTE)
      await mill.close()
      await clock.advance(9 * MINUTE)
    }
    const { mill } = bench({}, { store: await medium.connect(), clock })
    const [{ revision, plan }] = await mill.queue('q').schedules()
    expect([revision, plan]).toEqual([1, '*/5 * * * * (UTC)'])
    await mill.close()
    await medium.destroy()
    // Three while it worked, and twice two that were missed and three more.
    const slots = ran.map((slot) => (slot as { slot: string }).slot)
    expect(slots).toHaveLength(13)
    expect(slots).toEqual([...new Set(slots)].sort())
  })
})
