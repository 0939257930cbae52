/** What is asked about what stands beside jobs: keys, kin, settlements. See `statements.ts`. */
import type { Millis } from '../../job/job.js'

export interface AskedBeside {
  /** as `key.find`, which are owned until the end of the transaction */
  readonly 'key.own': AskedBeside['key.find']
  /** each queue, key */
  readonly 'key.find': {
    readonly queue: number
    readonly key: string
    readonly seq: number | null
    readonly id: string
    readonly until: Millis
    readonly waiting: number
  }
  /** queues, after queue, key, now, limit: those that only a period holds, by queue and key */
  readonly 'dump.keys': AskedBeside['key.find']
  /** queues, now: those of which any key is held */
  readonly 'dump.keyed': { readonly queue: number }
  /** each queue, key, seq or null, id, until, waiting */
  readonly 'key.put': object
  /** each queue, key */
  readonly 'key.remove': object
  /** now; each seq: keys held until the first start, of a job that starts */
  readonly 'key.started': object
  /** scope, now: forgets those of which nothing holds */
  readonly 'key.lapse': object
  /** each parent */
  readonly 'kin.children': { readonly child: number }
  /** each child: those that it looks at */
  readonly 'kin.parents': { readonly parent: number; readonly child: number }
  /** each parent, child, at; the parents are marked */
  readonly 'kin.add': object
  /** each parent, child, at; the parents are somebody else's now */
  readonly 'kin.link': object
  /** each parent: whoever ends it looks for its children */
  readonly 'kin.mark': object
  /** scope; each child that came in a transaction of the user's, and looks at somebody else's job */
  readonly 'arrival.add': object
  /** scope, limit: some of them, which are noted no longer */
  readonly 'arrival.take': { readonly child: number }
  /** a moment goes by, in which whoever keeps one of their parents may end */
  readonly 'arrival.breath': object
  /** each parent, child, at */
  readonly 'kin.remove': object
  /** each child that is gone */
  readonly 'kin.forget': object
  /** scope, now, lowest token, highest token, body */
  readonly 'settled.add': object
  /** scope, token: bodies that may have it */
  readonly 'settled.find': { readonly body: string }
  /** scope, before */
  readonly 'settled.lapse': object
}
