/**
 * A worker in isolation for tests, as built: isolates are compiled programs, so what runs here is
 * what `npm run build` put into dist.
 */
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach } from 'vitest'
import type * as MillraceModule from '../../src/index.js'
import type {
  EnqueueOptions,
  JobView,
  Millrace,
  MillraceEvent,
  EventName,
  Queue,
  QueueOptions,
  Schema,
  Worker,
} from '../../src/index.js'

const dist = new URL('../../dist/index.js', import.meta.url)
export const built = existsSync(new URL('./worker/isolate/program.js', dist))
/** The package as built. */
export const load = async (): Promise<typeof MillraceModule> =>
  (await import(dist.href)) as typeof MillraceModule // as: the same module, compiled

export const module = (name: string): URL => new URL(`./modules/${name}.mjs`, import.meta.url)

export type Kind = 'thread' | 'process'

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

export function atEnd(end: () => Promise<unknown>): void {
  ends.push(end)
}

export interface Deed {
  readonly deed: string
  readonly [more: string]: unknown
}

export interface Bench {
  readonly mill: Millrace
  readonly queue: Queue<Deed, unknown>
  readonly worker: Worker
  /** Enqueues, and answers with the job when it is final. */
  run(payload: Deed, options?: EnqueueOptions): Promise<JobView<Deed>>
}

/** A worker of `modules/deeds.mjs`, with jobs of one attempt that are kept when they are through. */
export async function working(
  kind: Kind,
  options: QueueOptions & { readonly concurrency?: number; readonly output?: Schema } = {},
): Promise<Bench> {
  const { concurrency = 1, ...settings } = options
  const { millrace } = await load()
  const mill: Millrace = millrace('memory:')
  atEnd(() => mill.close({ timeout: 0 }))
  const queue = mill.queue<Deed>('q', { attempts: 1, keep: { completed: '1h' }, ...settings })
  const worker = queue.work(module('deeds'), { isolate: kind, concurrency })
  const run = async (payload: Deed, given?: EnqueueOptions): Promise<JobView<Deed>> => {
    const job = await queue.enqueue(payload, given)
    await ended(job.result())
    const view = await queue.get(job.id)
    if (view === null) throw new Error('a final job was not kept')
    return view
  }
  return { mill, queue, worker, run }
}

/** Whichever way it ends. */
export async function ended(result: Promise<unknown>): Promise<void> {
  await result.catch(() => undefined) // the test looks at the job itself
}

/** The error of the last attempt. */
export function lastError(job: JobView<Deed>): { name: string; message: string; stack?: string } {
  const error = job.history.at(-1)?.error
  if (error === undefined || error === null) throw new Error('no attempt failed')
  return error
}

/** The next so many events of a type that fit. */
export function next<K extends EventName>(
  mill: Millrace,
  type: K,
  count = 1,
  fits: (event: MillraceEvent<K>) => boolean = () => true,
): Promise<readonly MillraceEvent<K>[]> {
  return new Promise((resolve) => {
    const seen: MillraceEvent<K>[] = []
    const stop = mill.on(type, (event) => {
      if (fits(event)) seen.push(event)
      if (seen.length < count) return
      stop()
      resolve(seen)
    })
  })
}

/** A port to connect to: whoever is connected lives; when a connection closes, its owner is gone. */
export async function lifeline(): Promise<{
  readonly port: number
  readonly connected: readonly Socket[]
  readonly until: (count: number) => Promise<void>
  /** All that ever connected are gone. */
  readonly gone: () => Promise<void>
}> {
  const connected: Socket[] = []
  const closed: Promise<void>[] = []
  let heard = (): void => undefined
  const server = createServer((socket) => {
    connected.push(socket)
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())))
    socket.on('error', () => undefined) // killed in the middle: its close follows
    socket.resume()
    heard()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    for (const socket of connected) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const until = async (count: number): Promise<void> => {
    while (connected.length < count) await new Promise<void>((resolve) => (heard = resolve))
  }
  const { port } = server.address() as AddressInfo // as: it listens on TCP
  return { port, connected, until, gone: () => Promise.all(closed).then(() => undefined) }
}
