// What the processes of the torture of gates agree on: the queues, and what each of them promises.
// The rates' windows are long enough that a start on a busy machine is within their allowance.
const SHARED = { count: 30, per: '4s', key: 'shared' }

/** Nobody survives fifty kills by chance; only what is doomed may be discarded. */
const SOUND = { attempts: 50, backoff: { type: 'fixed', delay: '50ms' } }

export const QUEUES = {
  capped: { ...SOUND, concurrency: 5 },
  grouped: { ...SOUND, groups: { concurrency: 2 } },
  rated: { ...SOUND, rate: SHARED },
  metered: { ...SOUND, rate: SHARED, groups: { rate: { count: 6, per: '3s' } } },
  ordered: { ...SOUND, order: 'blocking' },
}

export const GROUPS = ['ant', 'bee', 'cat', 'dog', 'elk']

/** The same promises, in the words of the judge. */
export const GATES = [
  { kind: 'cap', name: 'cap', queue: 'capped', of: 'queue', most: 5 },
  { kind: 'cap', name: 'groupCap', queue: 'grouped', of: 'group', most: 2 },
  { kind: 'rate', name: 'rate', queues: ['rated', 'metered'], of: 'key', count: 30, span: 4_000 },
  { kind: 'rate', name: 'groupRate', queues: ['metered'], of: 'group', count: 6, span: 3_000 },
  { kind: 'order', name: 'order', queue: 'ordered' },
]

/** Attempts of a job that fails each of them. */
export const DOOMED_ATTEMPTS = 3
