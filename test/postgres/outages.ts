// A whole Millrace with a worker, behind a proxy that spoils its connections, and what it told.
import type { Duration, Millrace, MillraceEvent } from '../../src/index.js'
import { millrace, MillraceError } from '../../src/index.js'
import { openablePostgresStore } from '../../src/stores/postgres/postgres-store.js'
import type { Patience } from '../../src/stores/postgres/patience.js'

export interface Watched {
  readonly mill: Millrace
  /** `store.error` and `store.recovered`, in the order in which they were told. */
  readonly told: readonly MillraceEvent[]
  /** How often which payload ran. */
  readonly ran: ReadonlyMap<unknown, number>
  errors(): readonly string[]
  recoveries(): number
  /** Answers when it holds; it is looked at whenever something ran or was told. */
  until(what: () => boolean): Promise<void>
  /** Enqueues it, however long that takes: an `enqueue` gives up after some seconds. */
  enqueue(payload: number): Promise<void>
  /** Enqueues them, one after the other, and waits until each has run. */
  run(...payloads: readonly number[]): Promise<void>
}

export interface WatchedOptions {
  readonly poll?: Duration
  readonly patience?: Partial<Patience>
}

export function watched(url: string, { poll = '1s', patience = {} }: WatchedOptions = {}): Watched {
  const mill: Millrace = millrace(openablePostgresStore({ url }, { patience }), { poll })
  const told: MillraceEvent[] = []
  const ran = new Map<unknown, number>()
  const waiting = new Set<() => void>()
  const look = (): void => {
    for (const one of [...waiting]) one()
  }
  for (const type of ['store.error', 'store.recovered'] as const) {
    mill.on(type, (event) => {
      told.push(event)
      look()
    })
  }
  mill.on('batch.sent', look)
  const until = (what: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const one = (): void => {
        if (!what()) return
        waiting.delete(one)
        resolve()
      }
      waiting.add(one)
      one()
    })
  mill.queue('q').work((payload: unknown) => {
    ran.set(payload, (ran.get(payload) ?? 0) + 1)
    look()
  })
  const enqueue = async (payload: number): Promise<void> => {
    for (;;) {
      try {
        return void (await mill.queue('q').enqueue(payload, { id: `job ${payload}` }))
      } catch (error) {
        if (!MillraceError.is(error)) throw error
        await until(() => told.at(-1)?.type === 'store.recovered')
      }
    }
  }
  return {
    mill,
    enqueue,
    told,
    ran,
    until,
    errors: () =>
      told.flatMap((event) => (event.type === 'store.error' ? [event.error.message] : [])),
    recoveries: () => told.filter(({ type }) => type === 'store.recovered').length,
    async run(...payloads) {
      for (const payload of payloads) await enqueue(payload)
      await until(() => payloads.every((payload) => ran.has(payload)))
    },
  }
}
