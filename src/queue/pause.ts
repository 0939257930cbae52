/**
 * Pausing and resuming a queue, a group of it, or everything, as users say it. Checks what was
 * given, and names the queue in errors. What a pause does is the engine's and the store's.
 */
import { hostname } from 'node:os'
import { invalid, name, onlyKnown, record, word } from '../job/check.js'
import { PAUSE_TIMEOUT } from '../job/defaults.js'
import type { Millis } from '../job/job.js'
import type { Parts } from '../parts.js'
import { readyFor } from '../parts.js'
import { millis } from '../time/duration.js'
import type { Duration } from '../time/duration.js'

export interface PauseOptions {
  /** 'here' is this process; 'everywhere' is stored, and survives restarts ['everywhere']. */
  readonly where?: 'everywhere' | 'here'
  /** Only this one ['' is the group of jobs without one; left out: the whole queue]. */
  readonly group?: string
  /** Answers when nothing of it runs, here or everywhere [false]. */
  readonly wait?: boolean
  /** How long `wait` waits ['5s']. */
  readonly timeout?: Duration
}

export type ResumeOptions = Pick<PauseOptions, 'where' | 'group'>

interface Said {
  readonly where: 'everywhere' | 'here'
  readonly queue: string | null
  readonly group: string | null
  readonly by: string
}

/** `queue` null: everything. */
export async function pause(parts: Parts, queue: string | null, options: unknown): Promise<void> {
  const subject = queue === null ? 'pauseAll' : `queue(${JSON.stringify(queue)}).pause`
  const { given, said } = read(options, queue, subject, ['wait', 'timeout'])
  const wait = waitOf(given, subject)
  const pausing = async (): Promise<void> => {
    if (queue !== null) await readyFor(parts, queue)
    await parts.engine.pause({ ...said, wait, subject })
  }
  // A close does not wait for what runs to end just because somebody else waits for it.
  await (wait === null ? parts.engine.door.through(pausing) : pausing())
}

export async function resume(parts: Parts, queue: string | null, options: unknown): Promise<void> {
  const subject = queue === null ? 'resumeAll' : `queue(${JSON.stringify(queue)}).resume`
  const { said } = read(options, queue, subject, [])
  await parts.engine.door.through(async () => {
    if (queue !== null) await readyFor(parts, queue)
    await parts.engine.resume(said)
  })
}

function read(
  options: unknown,
  queue: string | null,
  subject: string,
  more: readonly string[],
): { readonly given: Readonly<Record<string, unknown>>; readonly said: Said } {
  const given = record(options ?? {}, subject)
  onlyKnown(given, ['where', ...(queue === null ? [] : ['group']), ...more], subject)
  const { where = 'everywhere', group } = given
  const said: Said = {
    where: word(where, ['everywhere', 'here'], `${subject}.where`),
    queue,
    group: group === undefined ? null : name(group, `${subject}.group`, 'allowed'),
    by: thisProcess(),
  }
  return { given, said }
}

/** Null: it does not wait. */
function waitOf({ wait = false, timeout }: PauseGiven, subject: string): Millis | null {
  if (typeof wait !== 'boolean') throw invalid(`${subject}.wait`, 'true or false', wait)
  const most = timeout === undefined ? PAUSE_TIMEOUT : millis(timeout, `${subject}.timeout`)
  if (timeout !== undefined && !wait) {
    throw invalid(`${subject}.timeout`, 'wait: true beside it', timeout, 'it is how long to wait')
  }
  return wait ? most : null
}
type PauseGiven = Readonly<Record<string, unknown>>

/** Who paused it, for whoever asks why. */
export function thisProcess(): string {
  return `${hostname()}, process ${process.pid}`
}
