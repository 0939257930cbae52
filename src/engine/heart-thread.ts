/**
 * The heart's own thread: beats by the store's recipe while the loop may be busy with a handler.
 * It sleeps in shared memory and reads from there; it never waits for the loop. When the loop has
 * not answered for two beats, runs past their timeouts are reported as `overdue`. Promises: a beat
 * every interval while there is work, the first half an interval after that begins; a beat that fails
 * is told to the loop and tried again. Whoever has just claimed is known to live: until the first beat
 * neither the store's code nor a connection is opened here, which short work then never pays for.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { MillraceError, shown } from '../job/errors.js'
import type { Fault } from '../job/errors.js'
import type { Millis } from '../job/job.js'
import type { Beat, Section } from '../store.js'
import { CriticalSection } from './critical-section.js'
import { systemClock } from '../time/system.js'
import { BEATS, END, MODE, readTable, TICKS, WAKE, WORK } from './heart-table.js'
import type { TableView, ThreadNews, ThreadStart, ThreadTrouble } from './heart-table.js'

interface Beater {
  beat(beat: Beat): void | Promise<void>
  close(): void | Promise<void>
}

const start = workerData as ThreadStart // as: `heart-port.ts` is the only one to start this thread
const control = new Int32Array(start.table.control)
const section = new CriticalSection(start.section)
let { node } = start
let { columns } = start.table
/** The loop's ticks as last seen, and when that was by our own clock. */
let ticks = -1
let tickedAt = 0
let told = ''

let beater: Beater | null = null
/** It has worked since before its last pause. */
let beats = false

await live()

async function live(): Promise<void> {
  for (;;) {
    const wake = Atomics.load(control, WAKE)
    hearNews()
    const mode = Atomics.load(control, MODE)
    if (mode === END || section.isBarred) return beater?.close()
    if (mode === WORK && beats) await beat()
    Atomics.wait(control, WAKE, wake, pauseIn(mode))
    beats = mode === WORK
  }
}

function pauseIn(mode: number): Millis {
  if (mode !== WORK) return Infinity
  return beats ? start.beat : start.beat / 2
}

async function made(): Promise<Beater> {
  const recipe = (await import(start.recipe.module)) as {
    readonly beater: (data: unknown, every: Millis, section: Section) => Beater
  } // as: what a `BeatRecipe` promises of its module
  return recipe.beater(start.recipe.data, start.beat, section)
}

function hearNews(): void {
  if (parentPort === null) return
  for (;;) {
    const received = receiveMessageOnPort(parentPort)
    if (received === undefined) return
    const news = received.message as ThreadNews // as: `heart-port.ts` posts nothing else
    if ('node' in news) node = news.node
    else columns = news.columns
  }
}

async function beat(): Promise<void> {
  const table = readTable(control, columns)
  if (table === null) return
  try {
    beater ??= await made()
    await beater.beat({ node, upTo: table.upTo, open: table.open, overdue: overdue(table) })
    Atomics.add(control, BEATS, 1)
    told = ''
  } catch (error) {
    tell(error)
  }
}

/** The loop's time is known as of its last tick; what has passed since then is measured here. */
function overdue({ loopMono, runs }: TableView): readonly string[] {
  const now = systemClock.mono()
  const seen = Atomics.load(control, TICKS)
  if (seen !== ticks) {
    ticks = seen
    tickedAt = now
  }
  const silent = now - tickedAt
  if (silent < 2 * start.beat) return []
  return runs.filter(({ deadline }) => loopMono + silent > deadline).map(({ token }) => token)
}

/** An error crosses threads without its class. */
function faultOf(error: unknown): Fault | null {
  if (!MillraceError.is(error)) return null
  const { code, subject, expected, received, remedy } = error
  const came = typeof received === 'string' ? received : shown(received)
  return { code, subject, expected, remedy, ...(received !== undefined && { received: came }) }
}

/** Once for each kind of trouble: the loop decides how often it is told further. */
function tell(error: unknown): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  if (text === told) return
  told = text
  const trouble: ThreadTrouble = { error: text, fault: faultOf(error) }
  parentPort?.postMessage(trouble)
}
