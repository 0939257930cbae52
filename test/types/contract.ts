// A program that uses every name of the public face the way its page shows it: never run, only
// compiled, by `npm run check:types`. What it declares is what users may write down as types; a
// name that is missing, or that means something else, does not compile.
import { Cancel, Discard, MillraceError, Release, Snooze } from '../../src/index.js'
import { defineTask, millrace } from '../../src/index.js'
import type { Attempt, Backoff, BackoffFunction, Changed, Commit } from '../../src/index.js'
import type { CommitOf, Counts, DiscardReason, Duration, Enqueued } from '../../src/index.js'
import type { EnqueueOptions, ErrorCode, EventMap, EventName } from '../../src/index.js'
import type { FinalState, Handler, Health, HeldJob, IsolateOptions } from '../../src/index.js'
import type { ItemOptions, Job, JobData, JobOptions, JobRef, JobView } from '../../src/index.js'
import type { Keep, LiveJob, Lot, ManyOptions, Middleware, Millis } from '../../src/index.js'
import type { Millrace, MillraceEvent, MillraceOptions, Overrides } from '../../src/index.js'
import type {
  Page,
  PageOptions,
  PlanOptions,
  PostgresClient,
  PostgresTx,
  Queue,
} from '../../src/index.js'
import type { QueueInfo, QueueOptions, QueueSettings, Schema } from '../../src/index.js'
import type { ScheduleInfo, ScheduleOptions } from '../../src/index.js'
import type { Selector, SettingsView, SqliteHandle, SqliteTx, State } from '../../src/index.js'
import type { Store, StoreName, StoreOf, StoreUrl, Swept, TakeOptions } from '../../src/index.js'
import type { Task, TaskHandler, TaskOptions, TaskRef, Token, Traits } from '../../src/index.js'
import type { TxOf, Unique, Verdict, When, Worker, WorkerInfo } from '../../src/index.js'
import type { WorkOptions } from '../../src/index.js'
import { fileStore } from '../../src/stores/file/file-store.js'
import { memoryStore } from '../../src/stores/memory/memory-store.js'
import { testMillrace } from '../../src/testing/index.js'
import type { Expected, TestMillrace } from '../../src/testing/index.js'

interface Email {
  readonly to: string
}
declare const email: Schema<{ userId: string }>
declare const sent: Schema<{ messageId: string }>
declare const signal: AbortSignal

export async function stores() {
  const options: MillraceOptions = { scope: 'shop', lease: '30s', beat: 5000, poll: '2s' }
  const file: Millrace<'file'> = millrace('file:./queues', { ...options, upkeep: true })
  const memory: Millrace<'memory'> = millrace(memoryStore(), { drainOn: ['SIGTERM', 'SIGINT'] })
  const other: Millrace<'redis'> = millrace('rediss://host')
  const text: Millrace<string> = millrace('memory:' as string) // as: a URL from the environment
  const store: Store<'file'> = fileStore({ path: './q', durability: 'process' })
  const all: readonly Millrace[] = [file, memory, other, text, millrace(store)]
  const name: StoreName = 'sqlite'
  const url: StoreUrl = 'sqlite:./jobs.db'
  const of: StoreOf<'sqlite:./jobs.db'> = name
  await using one = millrace('memory:')
  await one.open()
  await one.close({ timeout: '30s' })
  const health: Health = await one.health()
  const traits: Traits = health.traits
  const trip: Millis | null = health.roundTrip
  return [all, url, of, traits, trip]
}

export async function producing(mill: Millrace<'file'>) {
  const keep: Keep = { count: 5, for: '7d' }
  const settings: QueueSettings = {
    ...{ attempts: 20, timeout: '60s', delivery: 'at-least-once', order: 'fifo' },
    ...{ concurrency: 50, rate: { count: 1000, per: '6s', key: 'smtp' } },
    groups: { concurrency: 1, rate: { count: 10, per: '1s' }, weights: { default: 1, 'c-7': 3 } },
    backoff: { type: 'exponential', min: '1s', max: '1h', factor: 2, jitter: 0.1 },
    deadLetter: 'graveyard',
    limits: { payloadBytes: 1, resultBytes: 1, metaBytes: 1, backlog: Infinity, age: '1d' },
    keep: { completed: 0, cancelled: '1d', discarded: keep },
    receipts: '10m',
  }
  const backoff: BackoffFunction = (attempt, error, job) =>
    job.task === String(error) ? `${attempt}s` : attempt
  const options: QueueOptions = { ...settings, backoff }
  const emails: Queue<Email, string, 'file'> = mill.queue<Email, string>('emails', options)
  const unique: Unique = { key: 'k', while: 'unfinished', for: '1h', onConflict: 'keep' }
  const said: JobOptions = { priority: 'high', group: 'c7', unique, attempts: 3, timeout: false }
  const more: JobOptions = { ...said, expiresIn: '1h', tags: ['vip'], meta: { requestId: 1 } }
  const when: When = { at: new Date() }
  const item: ItemOptions = { ...more, ...when, id: 'mine' }
  const call: EnqueueOptions<'file'> = item
  const job: Enqueued<string> = await emails.enqueue({ to: 'ada' }, call)
  const status: 'enqueued' | 'duplicate' | 'replaced' = job.status
  const result: string = await job.result({ timeout: '1m', signal })
  const each: ManyOptions<Email, 'file'> = ({ to }, index) => ({ id: `${to}-${index}`, ...when })
  const lot: Lot<never> = {}
  const jobs: readonly Enqueued<string>[] = await emails.enqueueMany([{ to: 'a' }], each, lot)
  await emails.enqueueMany([{ to: 'a' }], { group: 'g', in: '10s' })
  const ref: JobRef = job
  return [status, result, jobs, ref]
}

export function working(mill: Millrace<'file'>) {
  const emails = mill.queue<Email, string>('emails')
  const handler: Handler<Email, string, 'file'> = async ({ to }, job) => {
    const live: LiveJob<Email> = job
    const data: JobData<Email> = live
    const token: Token = live.token
    const history: readonly Attempt[] = data.history
    live.progress(0.5)
    live.log(`${token} ${data.origin?.reason} ${history[0]?.error?.stack}`)
    if (job.attempt > 9) throw new Discard('why')
    if (job.attempt > 8) throw new Snooze('5m')
    if (job.attempt > 7) throw new Cancel()
    if (job.attempt > 6) throw new Release()
    const verdicts: readonly (() => Verdict)[] = [
      () => job.snooze('5m'),
      () => job.release(),
      () => job.fail(new Error(to)),
      () => job.discard('why'),
      () => job.cancel(),
    ]
    return verdicts.at(job.priority)?.() ?? 'done'
  }
  const plain: WorkOptions = { concurrency: 10 }
  const isolate: IsolateOptions = { isolate: 'thread', ...plain }
  const worker: Worker = emails.work(handler, plain)
  mill.work('q', new URL('file:///handler.js'), isolate)
  const around: Middleware<'file'> = async (job, next) => void [job.id, await next()]
  const same: Millrace<'file'> = mill.use(around)
  const life = [worker.pause(), worker.resume(), worker.stop({ timeout: '1s' })]
  return [same, worker.id, worker.queue, worker.running, worker.state, life]
}

export async function transactions(
  postgres: Millrace<'postgres'>,
  sqlite: Millrace<'sqlite'>,
  { client, handle }: { client: PostgresTx; handle: SqliteTx },
) {
  const tx: TxOf['postgres'] = client
  await postgres.queue('q').enqueue(1, { tx })
  await sqlite.queue('q').enqueue(1, { tx: handle })
  postgres.queue<number, string>('q').work((n, job) => {
    const commit: Commit<PostgresClient, string> = job.commit
    return commit(async (open) => void (await open.query<{ a: 1 }>('select $1', [n])).rows, 'done')
  })
  sqlite.queue<number>('q').work((_, job: Job<number, unknown, 'sqlite'>) => {
    const commit: CommitOf<unknown>['sqlite'] = job.commit
    return commit((open: SqliteHandle) => void open.prepare('select 1').get())
  })
}

export async function tasks(mill: Millrace<'file'>) {
  const options: TaskOptions = { queue: 'emails', attempts: 5, timeout: '5s', priority: 'low' }
  const welcome = defineTask('welcome', { ...options, input: email, output: sent })
  const plain: Task<Email, number> = defineTask<Email, number>('plain', { queue: 'emails' })
  const bare: TaskRef<number> = { name: 'bare', queue: 'q' }
  const handled: TaskHandler = welcome.handle(({ userId }) => ({ messageId: userId }))
  mill.work('emails', [handled, plain.handle(({ to }) => to.length)], { concurrency: 20 })
  const one: { messageId: string } = await (await mill.enqueue(welcome, { userId: 'x' })).result()
  const [many] = await mill.enqueueMany(plain, [{ to: 'a' }], { group: 'x' })
  const length: number = await many.result()
  return [one, length, await mill.enqueue(bare, 5, { in: '1s' })]
}

export async function pulling(mill: Millrace) {
  const queue = mill.queue<Email, string>('q')
  const options: TakeOptions = { wait: '1s', signal }
  const held: HeldJob<Email, string> | null = await queue.take(options)
  await held?.complete('done')
  await held?.fail(new Error('x'))
  await held?.snooze('5m')
  await held?.release()
  await held?.discard('why')
  await held?.cancel()
  for await (const each of queue.jobs({ signal, concurrency: 4 })) await each.complete('done')
  const some: readonly HeldJob<Email, string>[] = await queue.take({ limit: 5, ...options })
  return some
}

export async function operating(mill: Millrace) {
  const queue = mill.queue<Email, string>('q')
  const states: readonly State[] = ['available']
  const finals: readonly FinalState[] = ['completed']
  const which: Selector = { ids: [], state: 'discarded', states, task: 't', group: 'g', tag: 'x' }
  const ask: PageOptions = { limit: 5, after: 'x' }
  const view: JobView<Email, string> | null = await queue.get('x')
  const page: Page<JobView<Email, string>> = await queue.list({ ...which, search: 's' }, ask)
  const counts: Counts = await queue.counts(which)
  const length: number = await queue.length()
  const changed: Changed = await queue.cancel('x')
  await queue.retry(which)
  await queue.delete({ states: finals })
  await queue.purge(['discarded'])
  const at = new Date()
  const done: boolean = await queue.update('x', { payload: { to: 'b' }, priority: 'low', at })
  const overrides: Overrides = { attempts: 3, backoff: null, timeout: false }
  const settings: SettingsView = await queue.set(overrides)
  const effective: QueueSettings = settings.effective
  const backoff: Backoff | undefined = effective.backoff
  mill.queue('copy', settings.declared)
  await mill.queue('copy').set(settings.overrides)
  const queues: Page<QueueInfo> = await mill.queues(ask)
  const workers: Page<WorkerInfo> = await mill.workers()
  const state: Worker['state'] | 'lost' = workers[0].state
  const swept: Swept = await mill.sweep()
  const { ran, idle } = await mill.runUntilIdle({ maxMs: 5 })
  const next: string | null = page.next
  return [view, next, counts, length, changed, done, backoff, queues, state, swept, ran, idle]
}

export async function scheduling(mill: Millrace<'file'>) {
  const emails = mill.queue<Email>('emails')
  const options: ScheduleOptions<Email> = {
    ...{ cron: '0 9 * * 1-5', timeZone: 'Europe/Paris', payload: { to: 'x' }, missed: 'skip' },
    ...{ overlap: 'queue', jitter: '5m', priority: 'low', group: 'g', tags: ['t'], meta: { a: 1 } },
  }
  const info: ScheduleInfo = await emails.schedule('digest', options)
  await emails.schedule('often', { every: '15m', payload: { to: 'x' }, attempts: 2 })
  await emails.schedule('once', { at: new Date(), payload: { to: 'x' }, missed: 'once' })
  const welcome = defineTask('send-welcome', { queue: 'emails', input: email })
  await mill.schedule(welcome, 'weekly', { cron: '@weekly', payload: { userId: '7' } })
  // @ts-expect-error -- exactly one of cron, every and at
  await emails.schedule('both', { every: '15m', cron: '@daily', payload: { to: 'x' } })
  // @ts-expect-error -- its payload is typed by the task
  await mill.schedule(welcome, 'wrong', { every: '1h', payload: { userId: 7 } })
  const plan: PlanOptions = { every: '1d' }
  const moments: readonly Date[] = [
    ...(await emails.preview(plan)),
    ...(await emails.preview('x', 2)),
  ]
  const all: Page<ScheduleInfo> = await emails.schedules({ limit: 10 })
  const run: Enqueued<unknown> = await emails.runNow('digest')
  const done: boolean[] = [await emails.pauseSchedule('digest'), await emails.unschedule('digest')]
  const { name, queue, task, revision, next, last, paused } = info
  const job: JobRef | undefined = last?.job
  return [moments, all, run, done, name, queue, task, revision, next, job, paused, plan]
}

export async function listening(mill: Millrace) {
  const types: readonly EventName[] = ['job.lost', 'sweep']
  const stop: () => void = mill.on('attempt.failed', ({ error, outcome }) => [error, outcome])
  mill.on('store.error', ({ error, retryIn }) => [error.code, retryIn])
  const reasons: DiscardReason[] = []
  mill.on('job.discarded', ({ reason }) => reasons.push(reason))
  for await (const event of mill.events({ types, signal })) {
    const any: MillraceEvent = event
    if (any.type !== 'job.retrying') continue
    const known: EventMap['job.retrying'] = any
    const delay: Duration = known.delay
    return [delay, any.at, any.node]
  }
  return [stop, reasons]
}

export function failing(error: unknown) {
  if (MillraceError.is(error, 'QUEUE_FULL')) {
    const code: 'QUEUE_FULL' = error.code
    return [code, error.subject, error.expected, error.received, error.remedy]
  }
  const code: ErrorCode | null = MillraceError.is(error) ? error.code : null
  return code
}

export async function testing() {
  const mill: TestMillrace = testMillrace()
  const other: Millrace<'postgres'> = testMillrace<'postgres'>({ mode: 'record', tx: {} })
  const which: Expected<Email> = { queue: 'q', payload: { to: 'x' } }
  await mill.advance('1h')
  mill.assertEnqueued('q', 2)
  mill.refuteEnqueued(which)
  mill.clear()
  const seen: readonly JobView<Email>[] = mill.enqueued(which)
  return [seen, other, mill.now()]
}
