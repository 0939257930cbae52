/**
 * The history of a run with gates, and what every gate must answer for it: was there an instant, a
 * window, a turn or a pause in which it let too much through? Pure, so that broken histories can
 * be fed to it; who recorded the history, and how, is left to the caller.
 *
 * All moments are milliseconds on one clock. A run is what a handler saw of it, so it lies within
 * the hold that the store counts; the run of a worker that was killed ends no later than the kill.
 */
import type { Millis } from '../job/job.js'
import { History } from './conformance/grants.js'

export interface Run {
  readonly queue: string
  readonly group: string
  readonly id: string
  /** Where it stands in its queue, by insertion. */
  readonly place: number
  readonly attempt: number
  readonly from: Millis
  /** Infinity: it began, and nobody knows that it ended. */
  readonly to: Millis
  readonly end: 'done' | 'failed' | 'killed' | 'unknown'
}

/** From the answer to a pause that waited for what runs to the call that ended it. */
export interface Pause {
  /** Null: everything. */
  readonly queue: string | null
  /** Null: the whole queue. */
  readonly group: string | null
  readonly from: Millis
  readonly to: Millis
}

export type Gate =
  | {
      readonly kind: 'cap'
      readonly name: string
      readonly queue: string
      readonly of: 'queue' | 'group'
      readonly most: number
    }
  /** Of all these queues together, or of each group of each of them. */
  | {
      readonly kind: 'rate'
      readonly name: string
      readonly queues: readonly string[]
      readonly of: 'key' | 'group'
      readonly count: number
      readonly span: Millis
    }
  | { readonly kind: 'order'; readonly name: string; readonly queue: string }

export interface GateReport {
  /** A sentence for each violation. */
  readonly faults: readonly string[]
  /**
   * By the gate's name how near it came: most at once, most in one window, retries that held their
   * group while others of it waited. A gate that nothing pressed against proves nothing.
   */
  readonly pressed: ReadonlyMap<string, number>
}

/** Puts the whole history before each gate; every job besides: never two runs of it at once. */
export function judgeGates(
  runs: readonly Run[],
  pauses: readonly Pause[],
  gates: readonly Gate[],
): GateReport {
  const sorted = [...runs].sort((a, b) => a.from - b.from)
  const faults = [...twice(sorted), ...pauses.flatMap((pause) => despite(pause, sorted))]
  const pressed = new Map<string, number>()
  for (const gate of gates) {
    const found = judge(gate, sorted)
    faults.push(...found.faults)
    pressed.set(gate.name, found.pressed)
  }
  return { faults, pressed }
}

interface Found {
  readonly faults: readonly string[]
  readonly pressed: number
}

function judge(gate: Gate, runs: readonly Run[]): Found {
  switch (gate.kind) {
    case 'cap':
      return cap(gate, runs)
    case 'rate':
      return rate(gate, runs)
    case 'order':
      return order(gate, runs)
  }
}

function cap({ name, queue, of, most }: Gate & { kind: 'cap' }, runs: readonly Run[]): Found {
  const faults: string[] = []
  let pressed = 0
  const own = runs.filter((run) => run.queue === queue)
  for (const [key, some] of by(own, (run) => (of === 'group' ? run.group : run.queue))) {
    const peak = atOnce(some)
    pressed = Math.max(pressed, peak.runs.length)
    if (peak.runs.length <= most) continue
    const who = peak.runs.map(tell).join('; ')
    faults.push(`${name}: ${peak.runs.length} of ${key} at once, of ${most}: ${who}`)
  }
  return { faults, pressed }
}

function rate(gate: Gate & { kind: 'rate' }, runs: readonly Run[]): Found {
  const { name, queues, of, count, span } = gate
  const history = new History()
  const names = new Set<string>()
  for (const run of runs) {
    if (!queues.includes(run.queue)) continue
    const key = of === 'key' ? name : `${run.queue}/${run.group}`
    names.add(key)
    history.granted(key, run.from)
  }
  const fullest = [...names].map((key) => ({ key, starts: history.fullest(key, span) }))
  const over = fullest.filter(({ starts }) => starts > count)
  return {
    faults: over.map(({ key, starts }) => {
      return `${name}: ${starts} starts of ${key} in a window of ${span} ms, of ${count}`
    }),
    pressed: Math.max(0, ...fullest.map(({ starts }) => starts)),
  }
}

/**
 * Of each group: one at a time, none before one that was inserted earlier, and none after one that
 * failed until that one is done. A job that is given up is its own affair: nothing of it follows.
 */
function order({ name, queue }: Gate & { kind: 'order' }, runs: readonly Run[]): Found {
  const faults: string[] = []
  let pressed = 0
  const own = runs.filter((run) => run.queue === queue)
  for (const [group, some] of by(own, (run) => run.group)) {
    let before: Run | null = null
    for (const run of some) {
      if (before !== null) {
        const pair = `${tell(before)}; ${tell(run)}`
        if (run.from < before.to) faults.push(`${name}: two of ${group} at once: ${pair}`)
        if (run.place < before.place) faults.push(`${name}: out of order in ${group}: ${pair}`)
        if (run.id === before.id && before.end === 'failed') pressed++
      }
      if (before === null || run.place >= before.place) before = run
    }
  }
  return { faults, pressed }
}

function twice(runs: readonly Run[]): string[] {
  return [...by(runs, (run) => run.id).values()].flatMap((some) => {
    const peak = atOnce(some)
    return peak.runs.length > 1 ? [`twice at once: ${peak.runs.map(tell).join('; ')}`] : []
  })
}

/** Nothing ran when the pause was answered, and nothing starts until its end. */
function despite(pause: Pause, runs: readonly Run[]): string[] {
  const isPaused = ({ queue, group }: Run): boolean =>
    (pause.queue ?? queue) === queue && (pause.group ?? group) === group
  const what = [pause.queue ?? 'everything', pause.group ?? []].flat().join('/')
  return runs
    .filter((run) => isPaused(run) && run.from < pause.to && run.to > pause.from)
    .map((run) => `paused: ${what} from ${pause.from} to ${pause.to}: ${tell(run)}`)
}

/** The runs of the fullest instant; `runs` by their start. A run that ends as one begins is over. */
function atOnce(runs: readonly Run[]): { readonly runs: readonly Run[] } {
  let open: Run[] = []
  let fullest: readonly Run[] = []
  for (const run of runs) {
    open = open.filter(({ to }) => to > run.from)
    open.push(run)
    if (open.length > fullest.length) fullest = [...open]
  }
  return { runs: fullest }
}

function by(runs: readonly Run[], keyOf: (run: Run) => string): Map<string, Run[]> {
  const parts = new Map<string, Run[]>()
  for (const run of runs) {
    const key = keyOf(run)
    const part = parts.get(key)
    if (part === undefined) parts.set(key, [run])
    else part.push(run)
  }
  return parts
}

function tell({ queue, place, attempt, from, to, end }: Run): string {
  return `${queue} ${place}, attempt ${attempt}, ${from} to ${to} (${end})`
}
