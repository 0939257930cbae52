// What isolation keeps of a handler's life: the same job, the same verdicts, the same checks.
import { describe, expect, it } from 'vitest'
import type { MillraceError } from '../../src/index.js'
import { atEnd, built, ended, lastError, lifeline, load, module, next, working } from './harness.js'
import type { Kind } from './harness.js'

const KINDS: readonly Kind[] = ['thread', 'process']

const fitting = (read: (value: unknown) => unknown) => ({
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => {
      const out = read(value)
      return out === undefined ? { issues: [{ message: 'it does not fit' }] } : { value: out }
    },
  },
})

describe.skipIf(!built).each(KINDS)('work in a %s', (kind) => {
  it('takes rich payloads and gives rich results', async () => {
    const { queue } = await working(kind)
    const value = { at: new Date(7), many: new Map([[1n, new Set(['x'])]]), none: undefined }
    const job = await queue.enqueue({ deed: 'echo', value })
    expect(await job.result()).toEqual(value)
  })

  it('hands the job over with all that is known of it, but for commit', async () => {
    const { run } = await working(kind, { attempts: 2 })
    const given = { group: 'g', tags: ['t'], priority: 5, meta: { request: 7 }, attempts: 4 }
    const job = await run({ deed: 'face' }, { ...given, id: 'mine' })
    expect(job.result).toEqual({
      ...{ id: 'mine', queue: 'q', task: 'default', attempt: 1, maxAttempts: 4, priority: 5 },
      ...{ group: 'g', tags: ['t'], meta: { request: 7 }, history: [], origin: null },
      ...{ commit: 'TX_UNSUPPORTED', held: true },
    })
  })

  it.each(['throw', 'exit'])('keeps steps over an attempt that ends by %s', async (until) => {
    const { run } = await working(kind, { attempts: 2, backoff: { type: 'none' } })
    const job = await run({ deed: 'steps', until }, { attempts: 2 })
    const first = { by: 1, at: new Date(7) }
    expect(job.result).toEqual({ first, second: 2, same: 2, none: undefined, told: ['first'] })
    expect(job.history.map(({ steps }) => steps)).toEqual([['first'], ['second', 'none']])
  })

  it('throttles its queue', async () => {
    const { run, queue } = await working(kind)
    expect((await run({ deed: 'throttle' })).state).toBe('completed')
    await queue.enqueue({ deed: 'who' })
    expect(await queue.take()).toBeNull()
  })

  it('tells what the job comes after', async () => {
    const { queue } = await working(kind)
    const value = new Map([['at', new Date(7)]])
    const first = await queue.enqueue({ deed: 'echo', value })
    const job = await queue.enqueue({ deed: 'parents' }, { after: [first] })
    const seen = [{ queue: 'q', id: first.id, state: 'completed', result: value }]
    expect(await job.result()).toEqual([seen, seen])
  })

  it('refuses a step whose value is too large', async () => {
    const { run } = await working(kind)
    expect(lastError(await run({ deed: 'step too large' }))?.message).toContain('RESULT_INVALID')
  })

  it('keeps one isolate for a slot, from job to job', async () => {
    const { run } = await working(kind)
    const first = await run({ deed: 'who' })
    const second = await run({ deed: 'throw' })
    const third = await run({ deed: 'who' })
    expect(second.state).toBe('discarded')
    expect(third.result).toEqual(first.result)
  })

  it('has as many isolates as it runs jobs at once', async () => {
    const { mill, queue } = await working(kind, { concurrency: 3 })
    const line = await lifeline()
    const started = next(mill, 'job.progress', 3)
    const payload = { deed: 'until told', port: line.port }
    const jobs = await queue.enqueueMany([payload, payload, payload])
    await started
    for (const socket of line.connected) socket.write('go')
    const isolates = await Promise.all(jobs.map((job) => job.result()))
    expect(new Set(isolates).size).toBe(3)
    const pids = new Set(isolates.map((isolate) => String(isolate).split('/')[0]))
    expect(pids.size).toBe(kind === 'process' ? 3 : 1)
    expect(pids.has(String(process.pid))).toBe(kind === 'thread')
  })

  it.each([
    ['throw', { name: 'TypeError', message: 'no such thing' }],
    ['throw text', { name: 'Thrown', message: 'just text' }],
    ['unreturned', { name: 'MillraceError' }],
    ['function', { name: 'MillraceError' }],
  ])('fails the attempt as the handler here would: %s', async (deed, error) => {
    const { run } = await working(kind)
    const job = await run({ deed })
    expect(lastError(job)).toMatchObject(error)
    if (deed === 'throw') expect(lastError(job).stack).toContain('deeds.mjs')
  })

  it('shows the backoff function the error, with its code', async () => {
    const seen: unknown[] = []
    const backoff = (_attempt: number, error: unknown): number => {
      seen.push(error)
      return 0
    }
    const { run } = await working(kind, { attempts: 2, backoff })
    await run({ deed: 'throw', code: 'EHOSTDOWN' })
    expect(seen).toHaveLength(1)
    expect(seen[0]).toBeInstanceOf(Error)
    expect(seen[0]).toMatchObject({ name: 'TypeError', code: 'EHOSTDOWN' })
  })

  it('takes the verdicts that the handler returns', async () => {
    const { mill, run, queue } = await working(kind)
    expect(await run({ deed: 'discard' })).toMatchObject({
      ...{ state: 'discarded', reason: 'no such address' },
    })
    expect(await run({ deed: 'cancel' })).toMatchObject({
      ...{ state: 'cancelled', reason: 'not wanted' },
    })
    const snoozed = next(mill, 'job.snoozed')
    await queue.enqueue({ deed: 'snooze' })
    expect((await snoozed)[0].delay).toBe(3_600_000)
    const released = next(mill, 'job.released', 2)
    const { id } = await queue.enqueue({ deed: 'release' })
    expect((await released)[1]).toMatchObject({ id, attempt: 1 })
  })

  it('hears progress from a handler that never lets its event loop turn', async () => {
    const { mill, queue } = await working(kind)
    const told = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'loop by progress' })
    expect((await told)[0]).toMatchObject({ id: job.id, progress: 0.25 })
  })

  it('keeps the last word of progress and the last hundred log lines, however many there are', async () => {
    const { run } = await working(kind)
    const job = await run({ deed: 'notes' })
    expect(job.progress).toBe(1)
    expect(job.log).toHaveLength(100)
    expect(job.log.at(-1)).toBe('line 9999')
  })

  it('aborts the signal over there when the job is cancelled; the isolate works on', async () => {
    const { mill, queue, run } = await working(kind)
    const before = await run({ deed: 'who' })
    const started = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'until aborted' })
    await started
    await queue.cancel(job.id)
    await expect(job.result()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    expect((await run({ deed: 'who' })).result).toEqual(before.result)
  })

  it('gives the abort its reason', async () => {
    const { mill, queue } = await working(kind)
    const started = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'reason of abort' })
    await started
    await queue.cancel(job.id)
    expect(await job.result()).toEqual({ name: 'MillraceError', code: 'JOB_CANCELLED' })
  })

  it('kills who does not hear that it is cancelled, at the latest at its timeout', async () => {
    const { mill, queue, run } = await working(kind)
    await run({ deed: 'who' })
    const started = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'loop by progress' }, { timeout: 1_000 })
    await started
    await queue.cancel(job.id)
    await expect(job.result()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    expect((await run({ deed: 'who' })).state).toBe('completed')
  })

  it('checks the input here, before it is sent, and sends what the schema makes of it', async () => {
    const input = fitting((value) => {
      const { deed, value: inner } = value as { deed: string; value: unknown } // as: the test's own
      return deed === 'who' ? undefined : { deed, value: `checked ${String(inner)}` }
    })
    const { millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close({ timeout: 0 }))
    const loose = mill.queue('q', { attempts: 2, keep: { discarded: '1h' } })
    const bad = await loose.enqueue({ deed: 'who' })
    const good = await loose.enqueue({ deed: 'echo', value: 'x' })
    const queue = mill.queue('q', { attempts: 2, keep: { discarded: '1h' }, input })
    queue.work(module('deeds'), { isolate: kind, concurrency: 1 })
    expect(await good.result()).toBe('checked x')
    await ended(bad.result())
    expect(await queue.get(bad.id)).toMatchObject({
      state: 'discarded',
      reason: 'payload: it does not fit',
      attempt: 1,
    })
  })

  it('checks the output here, when it is back', async () => {
    const output = fitting((value) => (value === 'good' ? 'very good' : undefined))
    const { queue, run } = await working(kind, { output })
    const good = await queue.enqueue({ deed: 'echo', value: 'good' })
    expect(await good.result()).toBe('very good')
    const bad = await run({ deed: 'echo', value: 'bad' })
    expect(lastError(bad).message).toContain('RESULT_INVALID')
  })

  it('holds results to their limit', async () => {
    const { run } = await working(kind, { limits: { resultBytes: 10 } })
    const job = await run({ deed: 'echo', value: 'a long result' })
    expect(lastError(job).message).toContain('RESULT_INVALID')
  })

  it('runs middleware here, round the handler there', async () => {
    const { mill, queue, run } = await working(kind)
    const seen: unknown[] = []
    mill.use(async (job, next) => {
      seen.push(job.payload)
      seen.push(await next().catch((error: Error) => error.message))
      if (seen.length > 3) throw new Error('from the middleware')
    })
    const job = await queue.enqueue({ deed: 'echo', value: 7 })
    expect(await job.result()).toBe(7)
    const bad = await run({ deed: 'throw' })
    expect(seen).toEqual([{ deed: 'echo', value: 7 }, 7, { deed: 'throw' }, 'no such thing'])
    expect(lastError(bad).message).toBe('from the middleware')
  })

  it('hides the way to its worker from libraries that look for a parent', async () => {
    const { queue } = await working(kind)
    expect(await (await queue.enqueue({ deed: 'foreign' })).result()).toBe('alone')
  })

  it('lets a stop drain, and has no isolate afterwards', async () => {
    const { mill, queue, worker } = await working(kind)
    const line = await lifeline()
    const started = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'until told', port: line.port })
    await started
    const stopped = worker.stop()
    expect(worker.state).toBe('draining')
    line.connected[0].write('go')
    await stopped
    expect(worker.state).toBe('stopped')
    expect(await queue.get(job.id)).toMatchObject({ state: 'completed' })
  })

  it('kills what a stop cannot wait for, and gives its job back', async () => {
    const { mill, queue, worker } = await working(kind)
    const started = next(mill, 'job.progress')
    const job = await queue.enqueue({ deed: 'loop by progress' })
    await started
    await worker.stop({ timeout: 50 })
    expect(await queue.get(job.id)).toMatchObject({ state: 'available', attempt: 0 })
  })

  it('does the tasks that its module names, with their own schemas', async () => {
    const { defineTask, millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close({ timeout: 0 }))
    const queue = mill.queue('q', { attempts: 2, backoff: { type: 'none' } })
    mill.work('q', module('tasks'), { isolate: kind, concurrency: 1 })
    const double = defineTask<unknown>('double', { queue: 'q' })
    expect(await (await mill.enqueue(double, 21)).result()).toBe(42)
    const invalid = await mill.enqueue(double, 'x')
    await ended(invalid.result())
    expect(await queue.get(invalid.id)).toMatchObject({
      reason: 'payload: not a number',
      attempt: 1,
    })
    const large = await mill.enqueue(double, 1000)
    await ended(large.result())
    expect((await queue.get(large.id))?.history[0].error?.message).toContain('RESULT_INVALID')
    const deep = await mill.enqueue(defineTask<unknown>('deep', { queue: 'q' }), null)
    await ended(deep.result())
    expect(await queue.get(deep.id)).toMatchObject({ state: 'discarded', reason: 'from deep code' })
    const foreign = await mill.enqueue(defineTask<unknown>('foreign', { queue: 'q' }), null)
    const where = defineTask<unknown, string>('where', { queue: 'q' })
    const here = await (await mill.enqueue(where, null)).result()
    expect(here).not.toBe(`${process.pid}/0`)
    expect(await queue.get(foreign.id)).toMatchObject({ state: 'available', attempt: 0 })
  })

  it.each([
    ['broken', /did not load in a (thread|process) of its own: SyntaxError: half a module/],
    ['not-a-handler', /did not load .*OPTION_INVALID default export/],
    ['no-such-file', /did not load .*no-such-file/],
  ])('fails each attempt when the module does not load: %s', async (name, reason) => {
    const { millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close({ timeout: 0 }))
    const queue = mill.queue('q', { attempts: 2, backoff: { type: 'none' } })
    queue.work(module(name), { isolate: kind })
    const job = await queue.enqueue(1)
    await ended(job.result())
    const view = await queue.get(job.id)
    expect(view?.history.map(({ outcome }) => outcome)).toEqual(['failed', 'failed'])
    expect(view?.history[0].error?.name).toBe('IsolateUnready')
    expect(view?.history[0].error?.message).toMatch(reason)
  })

  it('says so, and takes nothing, when a module of tasks does not load', async () => {
    const { defineTask, millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close({ timeout: 0 }))
    const task = defineTask<number>('double', { queue: 'q' })
    const job = await mill.enqueue(task, 1)
    const told = next(mill, 'store.error')
    mill.work('q', module('broken'), { isolate: kind })
    const [{ error, retryIn }] = await told
    expect(error satisfies MillraceError).toMatchObject({ code: 'OPTION_INVALID' })
    expect(error.message).toContain('half a module')
    expect(retryIn).toBe(2_000)
    expect(await mill.queue('q').get(job.id)).toMatchObject({ state: 'available', attempt: 0 })
  })

  it('fails an attempt at its timeout while the module still loads', async () => {
    const { millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close({ timeout: 0 }))
    const queue = mill.queue('q', { attempts: 1 })
    queue.work(module('hangs'), { isolate: kind })
    const job = await queue.enqueue(1, { timeout: 300 })
    await ended(job.result())
    expect((await queue.get(job.id))?.history[0].outcome).toBe('timeout')
  })
})

describe.skipIf(!built)('the options of isolation', () => {
  it.each([
    [undefined, /options/],
    [{}, /isolate/],
    [{ isolate: 'fiber' }, /'thread' or 'process'/],
    [{ isolate: 'thread', concurrency: 1_001 }, /from 0 to 1000/],
    [{ isolate: 'thread', isolated: true }, /isolated/],
  ])('are checked where they are given: %j', async (options, reason) => {
    const { millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close())
    const given = options as { isolate: 'thread' } // as: wrong on purpose
    expect(() => mill.queue('q').work(module('deeds'), given)).toThrow(reason)
    expect(() => mill.work('q', module('deeds'), given)).toThrow(reason)
  })

  it('refuse a module that is no file, and a handler of this process', async () => {
    const { millrace } = await load()
    const mill = millrace('memory:')
    atEnd(() => mill.close())
    const queue = mill.queue('q')
    const web = new URL('https://example.com/handler.js')
    expect(() => queue.work(web, { isolate: 'thread' })).toThrow(/the file: URL of a module/)
    const given = { isolate: 'thread' } as object // as: the compiler would refuse it
    expect(() => queue.work(() => undefined, given)).toThrow(/the URL of a module/)
  })

  it('may ask for no run at all', async () => {
    const { run, worker, queue } = await working('process', { concurrency: 0 })
    void run
    const job = await queue.enqueue({ deed: 'who' })
    expect(worker.running).toBe(0)
    expect(await queue.get(job.id)).toMatchObject({ state: 'available' })
  })
})
