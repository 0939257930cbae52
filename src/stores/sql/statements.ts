/**
 * What is asked of a database, statement by statement, and the rows that it answers. Each dialect
 * writes every one of them out as its own text, under the same name, with the parameters in the
 * order that stands here; behind "each", those that differ from row to row, behind the shared ones.
 *
 * Numbers of rows are whole, times are milliseconds since the Unix epoch, JSON is text, a list is
 * one parameter. Whether something is so is 0 or 1.
 */
import type { Millis } from '../../job/job.js'
import type { JobRow, Taken } from './row.js'
import type { AskedBeside } from './statements-beside.js'

interface Id {
  readonly id: number
}

export interface QueueRow extends Id {
  readonly name: string
  readonly declared: string
  readonly overrides: string
  readonly revision: number
  readonly paused_since: Millis | null
  readonly paused_by: string | null
  readonly pass: number
  readonly transit: string | null
}

interface LineOf {
  readonly lane: number
  readonly grp: string
  readonly priority: number
}

interface Named {
  readonly queue: number
  readonly name: string
  readonly body: string
}

/** What each statement answers. */
export interface Asked extends AskedBeside {
  // ── Scopes ───────────────────────────────────────────────────────────────────────────────────
  /** name */
  readonly 'scope.add': Id
  /** name */
  readonly 'scope.find': Id
  /** scope */
  readonly 'scope.read': Pick<QueueRow, 'paused_since' | 'paused_by'>
  /** scope, since or null, by or null: answers when it changed */
  readonly 'scope.pause': Id

  // ── Queues, groups, lanes ────────────────────────────────────────────────────────────────────
  /** scope; each name */
  readonly 'queue.add': Id
  /** scope; each name */
  readonly 'queue.find': QueueRow
  /** each queue */
  readonly 'queue.name': { readonly name: string }
  /** scope */
  readonly 'queue.all': QueueRow
  /**
   * scope, name, node, now: the queue with each of its lanes, or with none; whether the node is known
   * and was heard of lately; whether a claim may find something, and when it may at the earliest
   */
  readonly 'claim.peek': QueueRow & {
    readonly lane: number | null
    readonly task: string
    readonly kind: number
    readonly is_fresh: number
    readonly is_ready: number
    readonly next: Millis | null
  }
  /**
   * queue, scope, node, now: for who is about to claim. Each lane, or none; whether the node is known, which
   * nobody changes until the end of the transaction; whether any group has a name; whether a job or a
   * turn has become due that nobody noticed; whether all is paused, anything rests, a group is paused
   */
  readonly 'claim.look': Pick<QueueRow, 'paused_since' | 'paused_by'> & {
    readonly lane: number | null
    readonly task: string
    readonly kind: number
    readonly is_known: number
    readonly is_grouped: number
    readonly is_due: number
    readonly is_resting: number
    readonly is_group_paused: number
  }
  /** queue, lanes: when the first job of these is due that is not yet, and the next turn opens by itself */
  readonly 'claim.next': { readonly due: Millis | null; readonly opens_at: Millis | null }
  /** scope, now, until when settlements are forgotten: whether there is anything to sweep but finals */
  readonly 'sweep.peek': { readonly is_due: number }
  /** scope, key: those whose rate has it */
  readonly 'queue.sharing': QueueRow
  /** queue, revision, declared, overrides, key of its rate or null */
  readonly 'queue.say': Id
  /** queue, since or null, by or null: answers when it changed */
  readonly 'queue.pause': Id
  /** queue, transit or null */
  readonly 'queue.transit': Id
  /** queue, pass */
  readonly 'queue.turned': Id
  /** queue: answers when anything of it is left */
  readonly 'queue.known': Id
  /** scope, after, limit: those of which anything is left, by name */
  readonly 'queue.page': QueueRow
  /**
   * queue, now, after, limit: by state, of so many jobs and receipts by number, with the last of these;
   * those that are due as available; when the first of those that were made available was due
   */
  readonly 'queue.counts': {
    readonly state: number
    readonly jobs: number
    readonly last: number
    readonly oldest: Millis | null
  }
  /** queue: all that is unfinished and does not run, as it was last counted and told since; none: not */
  readonly 'backlog.read': {
    readonly waiting: number
    readonly counted_at: Millis
    /** How many moves were told since that are not added up yet. */
    readonly told: number
  }
  /** queue, now: counts it. For who holds it alone, as all that follow but `move`. */
  readonly 'backlog.count': { readonly waiting: number }
  /** each queue, how many came; below zero: went */
  readonly 'backlog.move': Id
  /** queue: adds up what was told */
  readonly 'backlog.fold': Id
  /** queue: from now on nobody tells, or everybody begins to */
  readonly 'backlog.forget': Id
  /** queue, how many, for which transaction of the user's: they count until that has ended */
  readonly 'backlog.reserve': Id
  /** The number of this transaction. */
  readonly 'tx.number': { readonly xid: number }
  /** queue */
  readonly 'queue.running': { readonly running: number }
  /** queue, limit */
  readonly 'queue.someRunning': JobRow
  /** queue, now: of all that is available the one that comes first, though no claim would take it */
  readonly 'queue.firstDue': JobRow
  /** queue: of all that waits for something else, by when it is due, those that wait for others last */
  readonly 'queue.next': JobRow
  /** queue, group, since, by: answers when it was not so before */
  readonly 'group.pause': { readonly queue: number }
  /** queue, group: answers when it was paused */
  readonly 'group.resume': { readonly queue: number }
  /** each queue */
  readonly 'group.paused': { readonly grp: string; readonly since: Millis; readonly by: string }
  /** queue, after, whether there is an after, limit: names, those of paused groups too */
  readonly 'group.page': { readonly grp: string }
  /** queue, now, from this group to that one: in one walk through the queue, however many they are */
  readonly 'group.counts': { readonly grp: string; readonly state: number; readonly jobs: number }
  /** each queue, group: who runs, else who failed and holds it */
  readonly 'group.holder': { readonly grp: string; readonly id: string }
  /** each queue, group */
  readonly 'group.running': { readonly grp: string; readonly running: number }
  /** each queue, group, limit */
  readonly 'group.someRunning': JobRow
  /** each queue, group: those that hold it and wait */
  readonly 'group.holding': JobRow
  /** each queue */
  readonly 'lane.of': Id & { readonly queue: number; readonly task: string; readonly kind: number }
  /** queue, task, kind: answers it, whether or not it was there */
  readonly 'lane.add': Id
  /** each lane: when the first of it is due that is not yet */
  readonly 'lane.next': { readonly due: Millis }
  /** each lane: that first one */
  readonly 'lane.firstTimer': JobRow
  /** lane, priority, place, number, now, limit: how many without a group could be started before that one */
  readonly 'line.ahead': { readonly ahead: number }

  // ── Jobs ─────────────────────────────────────────────────────────────────────────────────────
  /** how many: the last of so many numbers of insertion that nobody else is given */
  readonly 'seq.take': { readonly last: number }
  /** how many: the last of so many tokens, and up to where they are reserved; null: nobody knows */
  readonly 'token.take': { readonly last: number | null; readonly until: number | null }
  /** From now on nobody else reserves tokens, until the transaction has ended; its commit is durable. */
  readonly 'token.wait': object
  /** how many: beyond all that were reserved, or that many more */
  readonly 'token.reserve': object
  /** each: `JOB_COLUMNS`: answers those whose ids were free */
  readonly 'job.add': { readonly seq: number }
  /** each queue, id: receipts of jobs that an operator deleted */
  readonly 'job.deleted': { readonly seq: number }
  /** each queue, id */
  readonly 'job.find': JobRow
  /** each queue, id: what stands in handfuls, too, for who only looks */
  readonly 'job.see': JobRow
  /** each seq */
  readonly 'job.read': JobRow
  /** each seq: those that nobody else keeps */
  readonly 'job.free': JobRow
  /** each seq: whoever keeps them */
  readonly 'job.isThere': { readonly seq: number }
  /** each seq: those that do not run, and do not begin to before the transaction is over */
  readonly 'job.hold': JobRow
  /** each queue, id: without the payload, as all that are bare */
  readonly 'bare.find': JobRow
  /** each seq */
  readonly 'bare.read': JobRow
  /** each: `CHANGING` */
  readonly 'job.change': Id
  /** each seq, payload, codec, spec */
  readonly 'job.describe': Id
  /** each seq */
  readonly 'job.remove': Id
  /** each queue, id, token: removes those that run under it and leave nothing behind */
  readonly 'job.complete': { readonly queue: number; readonly id: string; readonly grp: string }
  /** now, limit; each lane: makes available what is due */
  readonly 'job.due': LineOf & { readonly seq: number; readonly place: Millis }
  /** lane, now, limit, token before the first, node, worker, claim: runs the first ones */
  readonly 'job.take': Taken
  /** now, whole or bare (1, 0); each lane, group, priority, limit, floor: the first ones of a line */
  readonly 'line.first': JobRow
  /** now, whole or bare; each lane, group: the first one of any priority */
  readonly 'lane.first': JobRow
  /** each lane, now: answers when any of it could be taken */
  readonly 'lane.ready': { readonly seq: number }
  /** queue, least attempt, after, limit: those that wait, by number */
  readonly 'job.waiting': JobRow
  /** scope, now, limit: not started in time */
  readonly 'job.expired': JobRow
  /** scope, limit: no attempt left */
  readonly 'job.spent': JobRow
  /** scope, limit: run for nodes that nobody knows */
  readonly 'job.orphans': JobRow
  /** each queue, state */
  readonly 'ended.count': { readonly queue: number; readonly state: number; readonly ended: number }
  /** each queue, state, until, limit: that ended until then, oldest first, bare */
  readonly 'ended.past': JobRow
  /** queue, below, states, task or null, group or null, now, limit, whole or bare, scan: newest first */
  readonly 'page.any': JobRow
  /** queue, below, task or null, group or null, limit, scan, whole or bare; each final state: of each so many */
  readonly 'page.ended': JobRow
  /** queue, below, scan; each final state: the last one of such a scan, if it was not the last of all */
  readonly 'page.endedBound': { readonly seq: number }
  /** queue, below, states, task or null, group or null, now, limit, whole or bare: of those that run */
  readonly 'page.running': JobRow
  /** queue, below, scan: the last one of such a scan, if it was not the last of all */
  readonly 'page.bound': { readonly seq: number }

  /** queues, after, limit: by number, of queues that are nearly all, without what was moved away */
  readonly 'dump.jobs': JobRow
  /** after, limit; each queue: the first numbers of each, without what was moved away */
  readonly 'dump.numbers': { readonly seq: number }

  // ── Turns ────────────────────────────────────────────────────────────────────────────────────
  /** each lane, queue, group, priority, pass, tie, floor; one that is there gets the lower floor */
  readonly 'turn.add': Id
  /** groups that are passed over, limit; each lane: whose turn it is, by priority, then in rotation */
  readonly 'turn.first': LineOf & {
    readonly pass: number
    readonly tie: number
    readonly floor: Millis
  }
  /** each queue, group, pass */
  readonly 'turn.move': Id
  /** each lane, group, priority: its floor is where its first job stands; for who is alone with the queue */
  readonly 'turn.raise': Id
  /** lane: the same of all its lines */
  readonly 'turn.raiseAll': Id
  /** each queue, group, when it opens by itself or null */
  readonly 'turn.close': Id
  /** each lane, group, priority */
  readonly 'turn.remove': Id
  /** each queue, group, pass: open again, at that pass or where it stood */
  readonly 'turn.open': Id
  /** queue, pass: of all groups */
  readonly 'turn.openAll': Id
  /** queue, now, pass: those whose time has come */
  readonly 'turn.openDue': Id

  // ── Rates and rests ──────────────────────────────────────────────────────────────────────────
  /** scope; each name, from when, how many, until when they count */
  readonly 'grant.add': Id
  /** scope; each name, since, limit: by name and time */
  readonly 'grant.oldest': { readonly name: string; readonly at: Millis; readonly n: number }
  /** scope; each name, since: of those that granted any */
  readonly 'grant.total': { readonly name: string; readonly total: number; readonly last: Millis }
  /** scope, now: all that count, by name and time */
  readonly 'dump.grants': {
    readonly name: string
    readonly at: Millis
    readonly n: number
    readonly until: Millis
  }
  /** scope; each name, at, how many, until when they count */
  readonly 'grant.load': Id
  /** scope, now */
  readonly 'grant.lapse': Id
  /** scope, now */
  readonly 'throttle.all': { readonly name: string; readonly until: Millis }
  /** scope, now; each name */
  readonly 'throttle.named': { readonly name: string; readonly until: Millis }
  /** scope, now, from and up to which name */
  readonly 'throttle.from': { readonly name: string; readonly until: Millis }
  /** scope; each name, until */
  readonly 'throttle.put': Id
  /** scope, now */
  readonly 'throttle.lapse': Id

  // ── Nodes ────────────────────────────────────────────────────────────────────────────────────
  /** scope */
  readonly 'node.all': {
    readonly node: string
    readonly card: string
    readonly started_at: Millis
    readonly beats: number
    readonly last_beat: Millis
    readonly overdue: string
    readonly gone: number
  }
  /** scope, node */
  readonly 'node.find': Asked['node.all']
  /** scope; each node: to be changed by nobody else, and not those that somebody changes */
  readonly 'node.lock': Asked['node.all']
  /** scope; each node, card, started at, beats, last beat, overdue, gone */
  readonly 'node.put': Id
  /** scope; each node */
  readonly 'node.remove': Id
  /** scope, node, now: it has asked for jobs, and holds none; costs nothing when it has just done so */
  readonly 'node.remember': Id
  /** scope, node, now: a sign of life; answers when it is known */
  readonly 'node.touch': { readonly node: string }
  /** scope, node, now, overdue: a beat; answers when it is known */
  readonly 'node.beat': { readonly node: string }
  /** scope, limit; each node: what it holds */
  readonly 'node.held': JobRow
  /** scope, node, up to, open claims: what it holds and does not know of */
  readonly 'node.lost': JobRow
  /** scope, node: of all that it holds, no more than a look after them needs */
  /** what holds of the queues of all scopes, as a text that changes with it */
  readonly rules: { readonly rules: string }
  readonly 'node.holds': { readonly token: number; readonly flags: number }
  /** scope: how many jobs each worker holds */
  readonly 'node.holding': { readonly node: string; readonly worker: string; readonly held: number }

  // ── Schedules ────────────────────────────────────────────────────────────────────────────────
  /** each queue, name */
  readonly 'schedule.find': Named
  /** queue */
  readonly 'schedule.count': { readonly schedules: number }
  /** each queue, name, when its next slot is due or null, body */
  readonly 'schedule.put': Id
  /** each queue, name */
  readonly 'schedule.remove': Id
  /** scope, queue or null, name or null, whether from the first, due, queue, name, limit */
  readonly 'schedule.byDue': { readonly queue_name: string; readonly body: string }
  /** scope, queue or null, name or null, whether from the first, queue, name, limit */
  readonly 'schedule.byName': { readonly queue_name: string; readonly body: string }
  /** each queue, name: what is remembered of one that was removed */
  readonly 'retired.find': Named
  /** scope, now */
  readonly 'dump.retired': { readonly queue: string; readonly name: string; readonly body: string }
  /** scope; each queue's name, name, until, body */
  readonly 'retired.put': Id
  /** scope; each queue's name, name */
  readonly 'retired.remove': Id
}

export type Statement = keyof Asked
