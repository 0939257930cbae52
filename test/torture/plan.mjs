// What the processes of the torture agree on.
export const QUEUE = 't'
/** Short, so that a stopped worker is past it soon; in milliseconds, like the beat. */
export const LEASE = 3_000
export const BEAT = 500
/** Nobody survives fifty kills by chance: a job that is discarded was lost by a mistake of ours. */
export const SETTINGS = { attempts: 50, backoff: { type: 'none' } }
