/** What runs are given: the job as its claim brought it, and what all runs of a node share. */
import type { Claimed } from '../job/claim.js'
import type { JobRef, ParentRow } from '../job/job.js'
import type { Settings } from '../job/settings.js'
import type { Events } from '../observe/events.js'
import type { Chance, Clock } from '../time/clock.js'
import type { Lateness, Sent } from './allowance.js'
import type { Commits } from './commits.js'
import type { Deadlines } from './deadlines.js'
import type { Exchanger } from './exchanger.js'
import type { Ledger, OpenClaim } from './ledger.js'
import type { Notes } from './notes.js'
import type { Steps } from './steps.js'

/** A job as its claim brought it. */
export interface Claim {
  readonly claimed: Claimed
  readonly settings: Settings
  readonly claim: OpenClaim
  readonly sent: Sent
  /** When its answer came, by `mono`. */
  readonly at: number
}

/** What every run of a node shares. */
export interface Workshop {
  readonly clock: Clock
  readonly chance: Chance
  readonly events: Events
  readonly exchanger: Exchanger
  readonly ledger: Ledger
  readonly notes: Notes
  readonly steps: Steps
  readonly commits: Commits
  readonly deadlines: Deadlines
  readonly lateness: Lateness
  readonly newId: () => string
  readonly parents: (ref: JobRef) => Promise<readonly ParentRow[] | null>
  /** A verdict of ours landed: who waits for ends in this queue may look. */
  readonly onSettled: (queue: string) => void
}
