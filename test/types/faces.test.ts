// What the compiler promises: payloads, results and transactions are typed from end to end. The
// checks are made by `npm run check:types`; running this file proves only that the names exist.
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { defineTask, millrace } from '../../src/index.js'
import type {
  Enqueued,
  HeldJob,
  Job,
  JobView,
  Millrace,
  MillraceEvent,
  ParentView,
  PostgresTx,
  Queue,
  Store,
  Verdict,
  Worker,
} from '../../src/index.js'
import { testMillrace } from '../../src/testing/test-millrace.js'

/** Never called: the compiler looks inside all the same. */
const unrun = (_: () => unknown) => undefined
declare const file: Millrace<'file'>
declare const postgres: Millrace<'postgres'>
declare const unknown: Millrace

describe('types', () => {
  it('bring payloads and results to batches', () =>
    unrun(() => {
      const queue = file.queue<{ n: number }, string>('q')
      queue.workBatch((payloads, jobs) => {
        expectTypeOf(payloads).toEqualTypeOf<readonly { n: number }[]>()
        expectTypeOf(jobs).toEqualTypeOf<readonly Job<{ n: number }, string, 'file'>[]>()
      })
      queue.workBatch(async (payloads) => payloads.map(({ n }) => String(n)))
      queue.workBatch((payloads, jobs) =>
        payloads.map(({ n }, at) => (n > 0 ? 'fine' : jobs[at].fail(new Error('no')))),
      )
      queue.workBatch(() => undefined, { size: 5, wait: '1s', concurrency: 1 })
      // @ts-expect-error a result of another type
      queue.workBatch((payloads) => payloads.map(({ n }) => n))
      // @ts-expect-error one answer for all of them
      queue.workBatch(() => 'fine')
    }))

  it('take jobs and refs to come after, and give what they left', () =>
    unrun(async () => {
      const first = await file.queue<number, string>('a').enqueue(1)
      const after = [first, { queue: 'b', id: 'x' }]
      await file.queue('q').enqueue(1, { after, onParentFailed: 'run' })
      await file.queue('q').enqueueMany([1], () => ({ id: 'y', after }))
      file.queue('q').work(async (_, job) => {
        const [parent] = await job.parents()
        expectTypeOf(parent).toEqualTypeOf<ParentView>()
        expectTypeOf(parent.result).toEqualTypeOf<unknown>()
      })
      // @ts-expect-error an id alone says no queue
      await file.queue('q').enqueue(1, { after: ['x'] })
      // @ts-expect-error no such policy
      await file.queue('q').enqueue(1, { after, onParentFailed: 'stop' })
    }))

  it('give a step the type of what it does', () =>
    unrun(() => {
      file.queue('q').work(async (_, job) => {
        expectTypeOf(await job.step('a', () => 5)).toEqualTypeOf<number>()
        expectTypeOf(await job.step('a', async () => ({ id: 'x' }))).toEqualTypeOf<{ id: string }>()
        expectTypeOf(await job.step('a', () => undefined)).toEqualTypeOf<undefined>()
        // @ts-expect-error a step is done by a function
        await job.step('a', 5)
      })
    }))

  it('know the store by the literal of its URL', () =>
    unrun(() => {
      expectTypeOf(millrace('memory:')).toEqualTypeOf<Millrace<'memory'>>()
      expectTypeOf(millrace('file:./queues')).toEqualTypeOf<Millrace<'file'>>()
      expectTypeOf(millrace('postgresql://x')).toEqualTypeOf<Millrace<'postgres'>>()
      expectTypeOf(millrace('' as string)).toEqualTypeOf<Millrace<string>>()
      expectTypeOf(millrace({} as Store<'sqlite'>)).toEqualTypeOf<Millrace<'sqlite'>>()
      // @ts-expect-error a scheme that does not exist
      millrace('mysql://x')
      expectTypeOf(file).toExtend<Millrace>()
    }))

  it('bring the payload and the result of a queue to its handlers and producers', () =>
    unrun(async () => {
      const queue = file.queue<{ to: string }, number>('q', { attempts: 3 })
      expectTypeOf(queue).toEqualTypeOf<Queue<{ to: string }, number, 'file'>>()
      expectTypeOf(queue.enqueue({ to: 'a' })).resolves.toEqualTypeOf<Enqueued<number>>()
      // @ts-expect-error another payload
      await queue.enqueue({ to: 5 })
      queue.work((payload, job) => {
        expectTypeOf(payload).toEqualTypeOf<{ to: string }>()
        expectTypeOf(job).toEqualTypeOf<Job<{ to: string }, number, 'file'>>()
        return payload.to === '' ? job.discard('empty') : 5
      })
      // @ts-expect-error another result
      queue.work(() => 'five')
      expectTypeOf(queue.take()).resolves.toEqualTypeOf<HeldJob<{ to: string }, number> | null>()
      expectTypeOf(queue.take({ limit: 2 })).resolves.toEqualTypeOf<
        readonly HeldJob<{ to: string }, number>[]
      >()
      expectTypeOf(queue.get('x')).resolves.toEqualTypeOf<JobView<{ to: string }, number> | null>()
    }))

  it('give producers what a schema takes, and handlers what it makes of it', () =>
    unrun(async () => {
      const queue = file.queue('q', {
        input: z.object({ n: z.string().transform(Number) }),
        output: z.object({ sum: z.number().transform(String) }),
      })
      const job = await queue.enqueue({ n: '5' })
      expectTypeOf(await job.result()).toEqualTypeOf<{ sum: string }>()
      // @ts-expect-error producers give the schema's input
      await queue.enqueue({ n: 5 })
      queue.work(({ n }) => {
        expectTypeOf(n).toEqualTypeOf<number>()
        return { sum: n }
      })
      // @ts-expect-error handlers return the output schema's input
      queue.work(() => ({ sum: '5' }))
      expectTypeOf((await queue.list())[0].payload).toEqualTypeOf<{ n: string }>()
    }))

  it('carry a task from its definition to producer and handler', () =>
    unrun(async () => {
      const task = defineTask('t', {
        queue: 'q',
        input: z.object({ id: z.string() }),
        output: z.number(),
      })
      const named = defineTask<{ n: number }, string>('named', { queue: 'q' })
      expectTypeOf(await (await file.enqueue(task, { id: 'x' })).result()).toEqualTypeOf<number>()
      expectTypeOf(await (await file.enqueue(named, { n: 1 })).result()).toEqualTypeOf<string>()
      // @ts-expect-error another payload
      await file.enqueue(task, { id: 5 })
      // @ts-expect-error another payload
      await file.enqueueMany(named, [{ m: 5 }])
      const handlers = [task.handle(({ id }) => id.length), named.handle(({ n }) => String(n))]
      expectTypeOf(file.work('q', handlers)).toEqualTypeOf<Worker>()
      // @ts-expect-error a task without its handler
      file.work('q', [task])
      // @ts-expect-error something that looks like one
      file.work('q', [{ task: 't' }])
      // @ts-expect-error another result
      task.handle(() => 'x')
      // @ts-expect-error neither a type nor a schema
      defineTask('bare', { queue: 'q' })
    }))

  it('have tx only where the store has transactions', () =>
    unrun(async () => {
      const tx = {} as PostgresTx
      await postgres.queue('q').enqueue(1, { tx })
      await unknown.queue('q').enqueue(1, { tx: 'run time looks at it' })
      // @ts-expect-error no transactions on file
      await file.queue('q').enqueue(1, { tx })
      // @ts-expect-error no transactions on memory
      await testMillrace().queue('q').enqueue(1, { tx })
      await testMillrace<'postgres'>().queue('q').enqueue(1, { tx })
      file.queue('q').work((_, job) => {
        expectTypeOf(job.commit).toBeNever()
      })
      postgres.queue<number, string>('q').work((_, job) => {
        // @ts-expect-error a result that is due
        void job.commit(() => undefined)
        return job.commit(async (client) => void (await client.query('select 1')), 'done')
      })
    }))

  it('take no verdict that was written by hand, and no delay that is no span', () =>
    unrun(() => {
      // @ts-expect-error only `job` builds verdicts
      const verdict: Verdict = { kind: 'snooze' }
      file.queue<number, number>('q').work((_, job) => job.snooze('5m'))
      // @ts-expect-error no such unit
      file.queue<number, number>('q').work((_, job) => job.snooze('5 minutes'))
      // @ts-expect-error no such span
      void file.queue('q').enqueue(1, { in: 'soon' })
      return verdict
    }))

  it('refuse what does not exist, and both ways of saying when', () =>
    unrun(async () => {
      const queue = file.queue('q')
      // @ts-expect-error misspelt
      await queue.enqueue(1, { priorty: 'high' })
      // @ts-expect-error either in or at
      await queue.enqueue(1, { in: 5, at: new Date() })
      // @ts-expect-error ids are for one job each
      await queue.enqueueMany([1], { id: 'x' })
      // @ts-expect-error a key is for the queue's own rate
      file.queue('q', { groups: { rate: { count: 1, per: '1s', key: 'k' } } })
      // @ts-expect-error running jobs are never purged
      await queue.purge(['running'])
    }))

  it('tell events apart by their type', () =>
    unrun(async () => {
      file.on('job.completed', (event) => expectTypeOf(event.duration).toEqualTypeOf<number>())
      // @ts-expect-error no such event
      file.on('job.done', () => 1)
      for await (const event of file.events({ types: ['job.lost', 'job.progress'] })) {
        expectTypeOf(event).toEqualTypeOf<MillraceEvent<'job.lost' | 'job.progress'>>()
        if (event.type === 'job.progress') expectTypeOf(event.progress).toEqualTypeOf<number>()
      }
    }))
})
