/**
 * The engine's own limits, each with its reason. What users can set, and what a job may be, is in
 * `job/defaults.ts`; these are about how the engine moves jobs to and fro. Spans are milliseconds.
 */

// ── Batches ─────────────────────────────────────────────────────────────────────────────────────

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

// ── When the store does not answer ──────────────────────────────────────────────────────────────

/** Repeats of an insert before its caller hears of the trouble: about 6 s in all. */
export const INSERT_REPEATS = 7
/** The first wait before a repeat; doubled each time. */
export const REPEAT_MIN = 50
/** The longest wait before a repeat: a store that came back is noticed within this. */
export const REPEAT_MAX = 5_000
/** While trouble lasts it is told again after this long, and not for every call that failed. */
export const OUTAGE_TOLD_EVERY = 30_000

// ── Claims ──────────────────────────────────────────────────────────────────────────────────────

/** Jobs fetched ahead at most: a larger claim is not cheaper per job in anything measured. */
export const PREFETCH_JOBS = 1000
/** Weight of the newest measurement in the running mean of how long a job takes. */
export const PACE_WEIGHT = 1 / 16
/** Jobs that one worker starts in one turn of the event loop: then others get their turn. */
export const TURN_STARTS = 200
/** Claims in a row that were promised a job and got none, before the worker takes a breath. */
export const RACES_LOST = 3
/** The first breath; doubled each time up to the poll. */
export const BREATH_MIN = 10
/** How often a busy node runs dry for a job that must run alone: the price is a pause in its work. */
export const DRY_EVERY = 30_000

// ── Runs ────────────────────────────────────────────────────────────────────────────────────────

/** A result may be this much later than the timeout: the loop, not the handler, was late by that. */
export const LATE_GRACE = 50
/** Progress and log lines wait this long for company. */
export const NOTES_WAIT = 250
/** Jobs in one `note` call. */
export const NOTE_ITEMS = 500
/** Tries of a `note` call: progress is worth a repeat, and not worth holding up a verdict for long. */
export const NOTE_TRIES = 3
/** What a stop waits for its last verdicts to land, after the handlers' own time ran out. */
export const SETTLE_WAIT = 5_000

// ── Heart, sweep, waiting ───────────────────────────────────────────────────────────────────────

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
/** Jobs that one look at waited-for ends reads. */
export const LOOK_JOBS = 1000
/** The shortest time between two looks while many wait; grows with how many do, up to the longest. */
export const LOOK_GAP = 5
export const LOOK_GAP_MAX = 250
/** Keeps the process alive while a worker works; the length does not matter, it is set again. */
export const ALIVE_TICK = 60 * 60_000
