// What a backlog costs: opening the store, the memory of a process that has it open, the longest
// time that opening keeps the event loop from others, the speed of workers and producers with so
// many jobs waiting, and the bytes that a waiting job takes on disk. The longest time is told twice:
// by the clock, in which whatever else the machine does counts, and by the processor, in which only
// what this thread did itself.
import { openSync, readSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { concurrent } from './enqueue.mjs'
import { alone, fill } from './process.mjs'

/** Fills in this process; opening and working are measured in another, by `behind`. */
export async function before(open, { waiting }) {
  const subject = await open()
  const begun = performance.now()
  await fill(subject, waiting)
  const took = performance.now() - begun
  await subject.close()
  return {
    bytesPerJob: (await bytesAt(open.place)) / waiting,
    fillPerSecond: (waiting / took) * 1000,
  }
}

export async function behind(open, { waiting, jobs, concurrency }) {
  await open.load()
  const base = memory()
  const gaps = watchLoop()
  const begun = performance.now()
  const subject = await open()
  const openMs = performance.now() - begun
  const { gap: longestGap, slice: longestSlice } = gaps.stop()
  const overBase = memory() - base
  const work = await alone(subject, { jobs, stay: waiting - jobs, concurrency })
  const added = await concurrent(subject, { seconds: 1 })
  await subject.close()
  const { perSecond, usPerJob, isExact } = work
  const opening = { openMs, longestGap, longestSlice, overBase }
  return { ...opening, perSecond, usPerJob, isExact, added: added.perSecond }
}

/** What stays in memory when what can be collected is. */
function memory() {
  globalThis.gc?.()
  return process.memoryUsage.rss() / 1e6
}

function watchLoop() {
  const processor = processorClock()
  const longest = { gap: 0, slice: processor === null ? null : 0 }
  let last = performance.now()
  let spent = processor?.()
  let running = true
  const look = () => {
    const now = performance.now()
    longest.gap = Math.max(longest.gap, now - last)
    last = now
    if (processor === null) return
    const total = processor()
    longest.slice = Math.max(longest.slice, total - spent)
    spent = total
  }
  const turn = () => {
    look()
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      running = false
      look()
      return longest
    },
  }
}

/** How long this thread was on a processor, in ms; null where the system does not tell. */
function processorClock() {
  if (process.platform !== 'linux') return null
  const file = openSync('/proc/thread-self/schedstat', 'r')
  const bytes = Buffer.alloc(64)
  return () => Number.parseInt(bytes.toString('latin1', 0, readSync(file, bytes, 0, 64, 0))) / 1e6
}

async function bytesAt({ folder, url }) {
  if (url !== undefined) return bytesOfTables(url)
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath ?? entry.path, entry.name)).size
  }
  return bytes
}

/** Of all that the subject made, with indexes. */
async function bytesOfTables(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(`
    SELECT sum(pg_total_relation_size(oid))::float8 AS bytes FROM pg_class
    WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`)
  await client.end()
  return rows[0].bytes
}
