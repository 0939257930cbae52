/** The command line's own limits, each with its reason. Spans are milliseconds, sizes bytes. */
import { BATCH_BYTES, LOT_BYTES } from '../job/defaults.js'

/** Lines that go in together: enough to share a sync, few enough to count while one looks. */
export const LINES_TOGETHER = 1000
/** And bytes of them. */
export const LINE_BYTES_TOGETHER = BATCH_BYTES
/** The longest line that is read: nothing longer could be handed in. */
export const LINE_BYTES = LOT_BYTES
/** Bad lines after which reading ends: this is no file of JSON lines. */
export const BAD_LINES = 100
/** Bad lines that are told one by one; of more it is said how many. */
export const BAD_LINES_TOLD = 20
/** Jobs of a page of `list`: what one can look over. */
export const LIST_PAGE = 50
/** Characters of a payload or an error in a table that no terminal bounds. */
export const CELL_WIDTH = 100
/** How often the progress line is drawn. */
export const TICK = 200
/** Work that takes less shows no progress line. */
export const TICK_AFTER = 500
/** How often a draining worker is looked at. */
export const DRAIN_LOOK = 20
/** What a process may do after its command is done, before it is ended. */
export const LINGER = 1000
/** Files of a folder that doctor looks at, so that it answers on any store. */
export const DOCTOR_FILES = 10_000
/** Bytes of the log that doctor reads anew: some seconds of reading. Older segments were read before. */
export const DOCTOR_LOG_BYTES = 1024 * 1024 * 1024
