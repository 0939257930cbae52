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

/** Jobs that come after others: whole graphs in one call, and what follows them elsewhere. */
export const FAMILIES = { family: SOUND, heirs: SOUND }

/** What schedules bring; no attempt is thrown away while its slot is looked for. */
export const TIMED = { timed: SOUND }
export const SPAN_MS = 1_000
/** The one that leaves out a slot while its last job is unfinished has jobs that last that long. */
export const SCHEDULES = [
  { name: 'all', missed: 'all', overlap: 'queue', takes: 20 },
  { name: 'once', missed: 'once', overlap: 'queue', takes: 20 },
  { name: 'skip', missed: 'skip', overlap: 'queue', takes: 20 },
  { name: 'single', missed: 'once', overlap: 'skip', takes: 1_300 },
]

export const ALL = { ...QUEUES, ...FAMILIES, ...TIMED }

export const GROUPS = ['ant', 'bee', 'cat', 'dog', 'elk']

/** The same promises, in the words of the judges. */
export const PLANS = SCHEDULES.map((plan) => ({ ...plan, span: SPAN_MS }))

export const GATES = [
  { kind: 'cap', name: 'cap', queue: 'capped', of: 'queue', most: 5 },
  { kind: 'cap', name: 'groupCap', queue: 'grouped', of: 'group', most: 2 },
  { kind: 'rate', name: 'rate', queues: ['rated', 'metered'], of: 'key', count: 30, span: 4_000 },
  { kind: 'rate', name: 'groupRate', queues: ['metered'], of: 'group', count: 6, span: 3_000 },
  { kind: 'order', name: 'order', queue: 'ordered' },
]

/** Attempts of a job that fails each of them. */
export const DOOMED_ATTEMPTS = 3
