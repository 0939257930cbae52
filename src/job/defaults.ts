/**
 * What holds when nobody says otherwise, and every limit with its reason. Spans are milliseconds,
 * sizes are bytes of UTF-8.
 */
import { DAY, HOUR, MINUTE, SECOND } from '../time/duration.js'

const KIB = 1024
const MIB = 1024 * KIB

// ── A job and its runs ──────────────────────────────────────────────────────────────────────────

/** Runs in all, the first included: with the default backoff about eight hours of trying. */
export const ATTEMPTS = 20
/** Long enough for a slow call to a slow service; a run that hangs must not hold its slot. */
export const TIMEOUT = 60 * SECOND
export const BACKOFF_MIN = 1 * SECOND
/** Also the cap of a user's own backoff function, so that a fault in it parks no job for ever. */
export const BACKOFF_MAX = 1 * HOUR
export const BACKOFF_FACTOR = 2
/** A tenth to either side keeps jobs that failed together from coming back together. */
export const BACKOFF_JITTER = 0.1

export const PRIORITY_HIGH = 10
export const PRIORITY_NORMAL = 0
export const PRIORITY_LOW = -10
/** Priorities reach from minus this to this: coarse on purpose, and one signed byte in an index. */
export const PRIORITY_LIMIT = 100

/** The task of a plain queue. */
export const DEFAULT_TASK = 'default'
/** The scope when none is named. */
export const DEFAULT_SCOPE = 'default'

// ── Sizes ───────────────────────────────────────────────────────────────────────────────────────

/** What fits a job; larger things belong in a file store, with their address in the job. */
export const PAYLOAD_BYTES = 1 * MIB
export const RESULT_BYTES = 1 * MIB
/** Request ids and trace context: small, since it travels with every look at the job. */
export const META_BYTES = 16 * KIB
/** Names of queues, groups, tasks, tags and unique keys, and a user's own ids: index entries. */
export const NAME_BYTES = 512
export const TAGS = 32
/** Jobs that one job may come after: they stand in its line, and each has a row of it. */
export const PARENTS = 10_000
/** Jobs in one lot: it is all or none, so it stands in one transaction or one frame. */
export const LOT_JOBS = 10_000
/** Bytes in one lot, for the same reason. */
export const LOT_BYTES = 32 * MIB
/** Levels of nesting in a payload: deep enough for any document, far from the end of the stack. */
export const PAYLOAD_DEPTH = 500
/** Values in a payload, so that checking one takes a second at worst, however often it repeats itself. */
export const PAYLOAD_VALUES = 4_000_000
/** Digits of a BigInt in a payload: reading one back takes more than linear time. */
export const BIGINT_DIGITS = 100_000

// ── What is kept ────────────────────────────────────────────────────────────────────────────────

/** Attempts in a job's history: as many as the default allows. */
export const HISTORY_KEPT = 20
/** Name, message and stack of one error, together. */
export const ERROR_BYTES = 2 * KIB
/** Log lines of a job, the last ones. */
export const LOG_LINES = 100
/** A log line is cut to this. */
export const LOG_LINE_BYTES = 1 * KIB
/** Who still asks for a result does so within minutes. */
export const RECEIPTS = 10 * MINUTE
/** Completed jobs leave nothing, so that a plain job costs nothing afterwards. */
export const KEEP_COMPLETED = 0
export const KEEP_CANCELLED = 1 * DAY
/** A week: whoever was away comes back to what went wrong. */
export const KEEP_DISCARDED = 7 * DAY

// ── Schedules ───────────────────────────────────────────────────────────────────────────────────

/** The shortest interval: what comes more often is a worker's loop, not a schedule. */
export const EVERY_LEAST = 1 * SECOND
/** Characters of a cron line; the longest that means something has fewer. */
export const CRON_LENGTH = 256
/** Cron lines that a process keeps read; reading one takes as long as asking it a few times. */
export const CRON_LINES_KNOWN = 1000
/** A slot that is later than this was missed: longer than a restart or a short outage of the store. */
export const MISSED_AFTER = 1 * MINUTE
/** Missed slots that `missed: 'all'` makes up for at once, the last ones: enough for a month of hours. */
export const MISSED_SLOTS = 1000
/** Schedules of one queue: they are few, and looked through; single moments are jobs with `at`. */
export const SCHEDULES = 10_000
/** Payload and meta of a schedule: every process keeps them in memory. */
export const SCHEDULE_BYTES = 64 * KIB
/** How long it is remembered which slots a removed schedule had, in case it is declared again. */
export const RETIRED_FOR = 7 * DAY
/** And of how many. */
export const RETIRED = 100_000
/** Slots in one call of the store, and schedules on one page of it. */
export const TICKS = 100
/** A store may take the wall's clock for this much ahead; a slot waits for the own one as long. */
export const SLOT_SLACK = 1 * SECOND
/** How often a declaration looks again, when others change the same schedule, before it gives up. */
export const PLAN_TRIES = 16

// ── Workers and their upkeep ────────────────────────────────────────────────────────────────────

/** Runs at once in one worker. */
export const CONCURRENCY = 10
/** How long a silent worker keeps its jobs: longer than a long pause of the garbage collector or a suspended container. */
export const LEASE = 30 * SECOND
/** How often a worker says that it lives; six times a lease, so that five may get lost. */
export const BEAT = 5 * SECOND
/** A beat is at most this part of the lease: two lost beats must not cost a worker its jobs. */
export const BEAT_SHARE = 1 / 3
/** How often a process looks whether a neighbour was killed: some 20 µs for each that holds jobs. */
export const LOOKOUT = 1 * SECOND
/** The longest sleep between two looks when no hint comes. */
export const POLL = 2 * SECOND
/** What a stop or a close waits for running handlers. */
export const STOP_TIMEOUT = 30 * SECOND
/** What a pause with `wait` waits for running handlers. */
export const PAUSE_TIMEOUT = 5 * SECOND
/** How much measured work is fetched ahead: hides a round trip, yet is soon given back. */
export const PREFETCH_SPAN = 50
/** Crashes after which a job is claimed alone, so that the poison one takes no neighbour along. */
export const CRASHES_UNTIL_ALONE = 2
/** The shortest window of a rate: below it the allowance for starting is most of it. */
export const RATE_SPAN_LEAST = 10
/** Shares of groups, within a million of each other: an exact step in the rotation either way. */
export const WEIGHT_LEAST = 0.001
export const WEIGHT_MOST = 1_000_000
/** Groups that may be given a share of their own: settings travel with every claim. */
export const WEIGHTS = 1000
/** Jobs that one call of a batch handler gets at most. */
export const BATCH_SIZE = 100
/** How long a batch waits until it is full. */
export const BATCH_WAIT = 200

// ── Batches and pages ───────────────────────────────────────────────────────────────────────────

/** A batch closes at this size unless one lot is larger. */
export const BATCH_BYTES = 4 * MIB
/** Jobs that one sweep or one step of a control command changes: it stays short, and is repeated. */
export const SWEEP_JOBS = 500
/** Jobs of a book that one step of an operator's command changes: each step walks through all of it. */
export const CONTROL_JOBS = 2_000
/** Rows that one step changes: SQLite takes some 0.1 ms for each, and the loop waits. */
export const CONTROL_ROWS = 500
/** What one page of a dump carries of jobs: few enough that a step of a copy stays short. */
export const DUMP_JOBS = 1_000
export const DUMP_BYTES = 4 * MIB
/** Jobs of a book whose texts one look of list or count reads, and about how many bytes of them. */
export const SCAN_JOBS = 10_000
export const SCAN_BYTES = 16 * MIB
/** Rows that one look goes through. */
export const SCAN_ROWS = 2_000
/** How often a claim is decided anew when others were faster, before it answers with nothing. */
export const CLAIM_TRIES = 8
/** Items of a page. */
export const PAGE = 100
/** The largest page that may be asked for. */
export const PAGE_LIMIT = 1000
/** How far `explain` counts the jobs ahead before it says "at least". */
export const AHEAD_LIMIT = 10_000

// ── Faces ───────────────────────────────────────────────────────────────────────────────────────

/** The most attempts that may be asked for: years at the longest default delay, and 32 bits. */
export const ATTEMPTS_LIMIT = 1_000_000
/** Dead-letter queues in a row that a declaration is followed through, to find a circle. */
export const DEAD_LETTER_HOPS = 100
/** Queues whose settings a process remembers; of more it asks the store again. */
export const SETTINGS_KNOWN = 1000
/** How long remembered settings serve: as long as an operator may wait for a limit to hold. */
export const SETTINGS_FRESH = 5 * SECOND
/** Events that wait for a slow reader of `mill.events()`; beyond that the oldest are dropped. */
export const EVENTS_WAITING = 10_000
/** Runs at once that one worker, or one loop over `jobs()`, may be asked for: each holds memory. */
export const CONCURRENCY_LIMIT = 10_000
/** Jobs that one batch may be asked for: all of them are held, and their timeouts run. */
export const BATCH_SIZE_LIMIT = 1000
/** Jobs that one `take` may be asked for: all of them are held, and their timeouts run. */
export const TAKE_LIMIT = 1000
/** The shortest lease: below it an ordinary pause of the collector costs a worker its jobs. */
export const LEASE_LEAST = 300
/** The shortest beat: beating more often would be most of what a worker does. */
export const BEAT_LEAST = 50
/** The shortest poll: below it an idle worker is a busy one. */
export const POLL_LEAST = 10

// ── Isolates ────────────────────────────────────────────────────────────────────────────────────

/** Isolates of one worker: each is a thread or a process, with a heap of its own. */
export const ISOLATES = 1_000
/** MiB that an isolate's heap may hold: ample for a handler, and ten of them fit a common machine. */
export const ISOLATE_HEAP = 512
/** An isolate with nothing to do ends after this long; a new one takes some 100 ms. */
export const ISOLATE_REST = 30 * SECOND
/** What loading the module may take: beyond it, it hangs. */
export const ISOLATE_START = 60 * SECOND
/** What a handler that is asked to cancel has to clean up, before it is killed. */
export const ISOLATE_GRACE = 5 * SECOND
/** What an isolate that is asked to end has for its exit listeners. */
export const ISOLATE_PARTING = 1 * SECOND
/** What a stop waits for its isolates to be gone: longer only if native code holds a thread. */
export const ISOLATE_GONE = 2 * SECOND
/** Killed isolates that are not gone yet; beyond these, jobs wait for one of them to go. */
export const ISOLATES_DYING = 16
/** The first breath after a module did not load; doubled each time. */
export const ISOLATE_RESTART_MIN = 250
/** The longest: a module that was mended is noticed within this. */
export const ISOLATE_RESTART_MAX = 5 * SECOND
/** Progress and log lines leave an isolate at most this often. */
export const ISOLATE_NOTES = 50
/** What is waited for a dead process's last messages: they are here already, but not yet read. */
export const LAST_WORDS = 250
/** What is kept of its stderr: enough for the reason, which comes last. */
export const LAST_WORDS_BYTES = 4 * KIB

// ── The engine: batches ─────────────────────────────────────────────────────────────────────────

/** Jobs in one insert batch: at this size a sync's cost per job has vanished in all that is measured. */
export const INSERT_ITEMS = 1000
/** Batches of one lane in flight: the second is written while the first is being made durable. */
export const IN_FLIGHT = 2
/** Lanes on stores across a network, where a round trip is long; a queue stays in its lane. */
export const NETWORK_LANES = 4
/** Jobs that may wait to be sent: beyond it the store is not keeping up, and callers must hear it. */
export const WAITING_ITEMS = 1_000_000
/** Their characters: what a process can spare for a store that does not answer. */
export const WAITING_BYTES = 256 * 1024 * 1024
/** Verdicts in one exchange, for the reason of `INSERT_ITEMS`. */
export const SETTLE_ITEMS = 1000
/** What a job weighs in a batch beside its payload. */
export const ITEM_BYTES = 200

// ── The engine: when the store does not answer ──────────────────────────────────────────────────

/** Repeats of an insert before its caller hears of the trouble: about 6 s in all. */
export const INSERT_REPEATS = 7
/** How long a job waits for an id or a key that somebody's open transaction has, before its caller hears. */
export const HELD_MOST = 30_000
/** Of one call so many that are held are tried: each costs a moment, and others come first in the next. */
export const HELD_TRIED = 3
/** The first wait before a repeat; doubled each time. */
export const REPEAT_MIN = 50
/** The longest wait before a repeat: a store that came back is noticed within this. */
export const REPEAT_MAX = 5_000
/** While trouble lasts it is told again after this long, and not for every call that failed. */
export const OUTAGE_TOLD_EVERY = 30_000
/** Trouble that is back within this was not over; a wait before a repeat is not longer. */
export const OUTAGE_BACK_WITHIN = 5_000

// ── The engine: claims ──────────────────────────────────────────────────────────────────────────

/** So long a job that was fetched ahead waits for a slot before it goes back, and others may have it. */
export const PREFETCH_PATIENCE = 250
/** Jobs fetched ahead at most: a larger claim is not cheaper per job in anything measured. */
export const PREFETCH_JOBS = 1000
/** And so much of payloads: more in one claim holds up the loop, and memory. */
export const PREFETCH_BYTES = 4 * MIB
/** How long a job takes is the running mean of about so many that ended, */
export const PACE_ENDS = 16
/** and of so many for each slot, since jobs that begin together may end together. */
export const PACE_ROUNDS = 2
/** Jobs that one worker starts in one turn of the event loop: then others get their turn. */
export const TURN_STARTS = 500
/** And this long: a turn that lasts longer delays everything else in the process. */
export const TURN_SPAN = 5
/** Exchanges that follow one another within one turn, each made of what the one before brought. */
export const TURN_TRIPS = 50
/** How often a busy node lets its work run dry for a job that must run alone: it costs a pause. */
export const DRY_EVERY = 30_000
/** How long it waits for that, as long as a run may take by default: then the others go on. */
export const DRY_MOST = 60_000
/** Claims in a row that were promised a job and got none, before the worker takes a breath. */
export const RACES_LOST = 3
/** So long a worker trusts a claim that brought all there was, though it has room again. */
export const DRAINED_SPAN = 20
/** The first breath; doubled each time up to the poll. */
export const BREATH_MIN = 10

// ── The engine: runs ────────────────────────────────────────────────────────────────────────────

/** A result may be this much later than the timeout: the loop, not the handler, was late by that. */
export const LATE_GRACE = 50
/** Steps that one job may keep: each claim carries all of them, and the history names them. */
export const STEPS = 1_000
/** Progress and log lines wait this long for company. */
export const NOTES_WAIT = 250
/** Jobs in one `note` call. */
export const NOTE_ITEMS = 500
/** Tries of a `note` call: progress is worth a repeat, and not worth holding up a verdict for long. */
export const NOTE_TRIES = 3
/** What a stop waits for its last verdicts to land, after the handlers' own time ran out. */
export const SETTLE_WAIT = 5_000
/** How long a store has at least to hear that a node leaves, before it is closed. */
export const LEAVE_WAIT = 1_000

// ── The engine: heart, sweep, waiting ───────────────────────────────────────────────────────────

/** A heart's thread with nothing to beat for ends after this long; a new one takes some 40 ms. */
export const HEART_REST = 60_000
/** Beat intervals without a sign of the thread, after which a new one is started. */
export const HEART_MISSES = 3
/** How often a thread reads a table that is being written before it beats at its next turn. */
export const TABLE_TRIES = 1000
/** Entries of a fresh table in shared memory; it doubles when it is full. */
export const TABLE_SLOTS = 256
/** Rounds of one sweep while there is more to do, before others get their turn. */
export const SWEEP_ROUNDS = 20
/** Sweeps that something waits for do not follow one another any closer. */
export const NUDGED_APART = 250
/** While others say that anything may have changed, whoever holds jobs looks after them so often. */
export const RUMOUR_SPAN = 100
/** Jobs that one look at waited-for ends reads. */
export const LOOK_JOBS = 1000
/** The shortest time between two looks while many wait; grows with how many do, up to the longest. */
export const LOOK_GAP = 5
export const LOOK_GAP_MAX = 250
/** Keeps the process alive while a worker works; the length does not matter, it is set again. */
export const ALIVE_TICK = 60 * 60_000
