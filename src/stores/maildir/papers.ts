/**
 * What the book knows beside its jobs, as small files: settings, pauses and schedules of queues,
 * what rates have granted, keys whose job has left, nodes and who of them holds what, the clock.
 * Each is one paper, replaced as a whole. Here is which of them a frame may change, what each says,
 * and what its file is called; how they are read again is in `restore.ts`.
 */
import { createHash } from 'node:crypto'
import { encodeName } from '../../disk/names.js'
import type { Millis } from '../../job/job.js'
import type { RetiredSchedule, Schedule } from '../../job/schedule.js'
import type { StoredSettings } from '../../job/settings.js'
import type { Changes } from '../../job/book/changes.js'
import type { Card, Frame, LoadFrame } from '../../job/book/frame.js'
import type { ImageKey, ImageTransit } from '../../job/book/image.js'
import { imageOfTransit } from '../../job/book/image.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { Pause } from '../../job/book/queue.js'
import type { WindowImage } from '../../job/book/window.js'
import { FieldWriter } from './fields.js'
import type { Holder, Holders } from './holders.js'

/** Which paper; what it is about stands in it, too. */
export type PaperRef =
  | { readonly kind: 'settings' | 'pauses'; readonly queue: string }
  | { readonly kind: 'schedule'; readonly queue: string; readonly name: string }
  | { readonly kind: 'key'; readonly queue: string; readonly key: string }
  | { readonly kind: 'rate'; readonly name: string }
  | { readonly kind: 'pause' | 'retired' | 'nodes' | 'clock' }

/** Store time is the host's since its start, and the base; wall time is store time and the offset. */
export interface ClockWords {
  readonly boot: string
  readonly base: Millis
  readonly wallOffset: Millis
}

export interface NodeWords {
  readonly card: Card
  readonly startedAt: Millis
  readonly gone: boolean
}

/** What a paper says, by its kind. */
export interface PaperWords {
  readonly settings: { readonly queue: string; readonly stored: StoredSettings }
  readonly pauses: {
    readonly queue: string
    readonly paused: Pause | null
    readonly groups: readonly (readonly [string, Pause])[]
    /** On its way to or from another store [not]. */
    readonly transit?: ImageTransit | null
  }
  readonly schedule: { readonly queue: string; readonly schedule: Schedule }
  readonly key: { readonly queue: string; readonly key: string; readonly hold: ImageKey }
  readonly rate: {
    readonly name: string
    readonly window: WindowImage | null
    readonly restUntil: Millis | null
  }
  readonly pause: { readonly paused: Pause }
  readonly retired: { readonly retired: readonly [string, RetiredSchedule][] }
  readonly nodes: { readonly nodes: readonly NodeWords[]; readonly holders: readonly Holder[] }
  readonly clock: ClockWords
}

/** The front of its file's name: the same for the same paper, and for no other. */
export function paperFront(ref: PaperRef): string {
  switch (ref.kind) {
    case 'settings':
    case 'pauses':
      return `${ref.kind}.${segment(ref.queue)}`
    case 'schedule':
      return `schedule.${segment(`${ref.queue}\0${ref.name}`)}`
    case 'key':
      return `key.${segment(`${ref.queue}\0${ref.key}`)}`
    case 'rate':
      return `rate.${segment(ref.name)}`
    default:
      return ref.kind
  }
}

const SEGMENT_SHOWN = 120

function segment(key: string): string {
  const safe = encodeName(key)
  if (safe.length <= SEGMENT_SHOWN) return safe
  const hash = createHash('sha256').update(key, 'utf16le').digest('hex').slice(0, 32)
  return `${safe.slice(0, SEGMENT_SHOWN)}%%${hash}`
}

/** The papers that may be different after this frame. */
export function papersOf(frame: Frame, changes: Changes): PaperRef[] {
  const refs: PaperRef[] = []
  for (const name of changes.rates) refs.push({ kind: 'rate', name })
  for (const { queue, key } of changes.keys()) refs.push({ kind: 'key', queue, key })
  switch (frame.kind) {
    case 'settings':
      refs.push({ kind: 'settings', queue: frame.queue })
      break
    case 'pause':
      if (frame.queue === null) refs.push({ kind: 'pause' })
      else refs.push({ kind: 'pauses', queue: frame.queue })
      break
    case 'transit':
      refs.push({ kind: 'pauses', queue: frame.queue })
      break
    case 'load':
      refs.push(...loadedPapers(frame))
      break
    case 'schedule':
      refs.push({ kind: 'retired' })
      for (const { queue, name } of frame.items) refs.push({ kind: 'schedule', queue, name })
      break
    case 'tick':
      for (const { queue, name } of frame.items) refs.push({ kind: 'schedule', queue, name })
      break
    case 'hello':
    case 'leave':
    case 'claim':
      refs.push({ kind: 'nodes' })
      break
    case 'sweep':
      if (frame.gone !== null) refs.push({ kind: 'nodes' })
      break
    case 'clock':
      refs.push({ kind: 'clock' })
      break
    default:
  }
  return refs
}

/** Of what came from another store beside its jobs. */
function loadedPapers({ items }: LoadFrame): PaperRef[] {
  return items.flatMap((item): PaperRef[] => {
    if (item.as !== 'fact') return []
    const { fact } = item
    switch (fact.kind) {
      case 'scope':
        return [{ kind: 'pause' }]
      case 'queue':
        return [
          { kind: 'settings', queue: fact.queue },
          { kind: 'pauses', queue: fact.queue },
        ]
      case 'key':
        return [{ kind: 'key', queue: fact.queue, key: fact.name }]
      case 'schedule':
        // It may be one that went away from here.
        return [
          { kind: 'retired' },
          { kind: 'schedule', queue: fact.queue, name: fact.schedule.name },
        ]
      case 'retired':
        return [{ kind: 'retired' }]
      case 'throttle':
      case 'grants':
        return [{ kind: 'rate', name: fact.name }]
    }
  })
}

/** What the papers are written from. */
export interface PaperSource {
  readonly ledger: Ledger
  readonly holders: Holders
  readonly anchor: { readonly boot: string; readonly base: Millis }
}

/** The paper's text; null when there is nothing to say. */
export function paperText(source: PaperSource, ref: PaperRef): string | null {
  const words = paperWords(source, ref)
  if (words === null) return null
  const into = new FieldWriter()
  into.value('paper', ref.kind)
  for (const [name, value] of Object.entries(words)) into.endless(name, value)
  return into.text()
}

function paperWords(
  { ledger, holders, anchor }: PaperSource,
  ref: PaperRef,
): PaperWords[PaperRef['kind']] | null {
  switch (ref.kind) {
    case 'settings': {
      const stored = ledger.findQueue(ref.queue)?.stored
      return stored === undefined || stored.revision === 0 ? null : { queue: ref.queue, stored }
    }
    case 'pauses': {
      const queue = ledger.findQueue(ref.queue)
      if (queue === undefined) return null
      const { paused, pausedGroups } = queue
      const transit = imageOfTransit(queue.transit)
      if (paused === null && pausedGroups.size === 0 && transit === null) return null
      return { queue: ref.queue, paused, groups: [...pausedGroups], transit }
    }
    case 'schedule': {
      const schedule = ledger.findQueue(ref.queue)?.schedules.get(ref.name)
      return schedule === undefined ? null : { queue: ref.queue, schedule }
    }
    case 'key': {
      const hold = ledger.findQueue(ref.queue)?.keys.get(ref.key)
      if (hold === undefined || hold.slot >= 0 || hold.until <= ledger.now) return null
      return { queue: ref.queue, key: ref.key, hold }
    }
    case 'rate': {
      const window = ledger.window(ref.name)?.image() ?? null
      const restUntil = ledger.rates.throttles.get(ref.name) ?? null
      return window === null && restUntil === null ? null : { name: ref.name, window, restUntil }
    }
    case 'pause':
      return ledger.paused && { paused: ledger.paused }
    case 'retired':
      return ledger.retired.size === 0 ? null : { retired: [...ledger.retired] }
    case 'nodes': {
      const nodes = [...ledger.nodes.values()].map(({ card, startedAt, gone }): NodeWords => {
        return { card, startedAt, gone }
      })
      return nodes.length === 0 ? null : { nodes, holders: holders.of(ledger.nodes) }
    }
    case 'clock':
      return { ...anchor, wallOffset: ledger.wallOffset }
  }
}
