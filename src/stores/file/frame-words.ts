/**
 * Whole frames as the log keeps them: from the book's frames to a kind, guards and lines, and back.
 * What concerns one item stands in its line, what concerns the frame stands in the guards. The log
 * has three kinds of its own: `head` begins a segment, `seal` ends it, `boot` says how the host's
 * clock is to be read since it last started.
 */
import type { ScheduleChange } from '../../job/schedule.js'
import type { SettingsLayer } from '../../job/settings.js'
import type { Card, ClaimItem, DropFrame, Frame } from '../../job/book/frame.js'
import type { PauseFrame, SettingsFrame, TransitFrame } from '../../job/book/frame.js'
import type { Item } from '../../job/book/extra.js'
import { plain, unplain } from '../../job/plain.js'
import {
  controlLine,
  jobLine,
  noteLine,
  quoted,
  readControl,
  readJob,
  readNote,
  readSettle,
  readSweep,
  readTick,
  settleLine,
  sweepLine,
  tickLine,
} from './items.js'
import { loadLine, readLoad } from './load-words.js'

export interface Written {
  readonly guards: string
  readonly lines: readonly string[]
}

export function writeFrame(frame: Frame): Written {
  switch (frame.kind) {
    case 'insert': {
      const guards = frame.lots.length === 1 ? '' : JSON.stringify(frame.lots)
      return { guards, lines: frame.items.map(jobLine) }
    }
    case 'claim': {
      const asks = frame.asks.map(({ queue, worker, claim, count, margin }) => {
        const ask = [queue, worker, claim, count]
        return margin === undefined ? ask : [...ask, margin]
      })
      const on = frame.guards.map(({ queue, version }) => [queue, version])
      const guards = JSON.stringify({ node: frame.node, asks, on })
      return { guards, lines: frame.items.map(claimLine) }
    }
    case 'settle':
      return { guards: '', lines: frame.items.map(settleLine) }
    case 'note':
      return { guards: '', lines: frame.items.map(noteLine) }
    case 'control':
      return { guards: '', lines: frame.items.map(controlLine) }
    case 'pause': {
      const { action, queue, group, by } = frame
      return { guards: JSON.stringify({ do: action, queue, group, by }), lines: [] }
    }
    case 'sweep':
      return { guards: JSON.stringify(frame.gone), lines: frame.items.map(sweepLine) }
    case 'drop':
      return { guards: '', lines: frame.items.map(dropLine) }
    case 'beat': {
      const { node, upTo, open, overdue } = frame
      return { guards: JSON.stringify({ node, upTo, open, overdue }), lines: [] }
    }
    case 'hello':
      return { guards: JSON.stringify(frame.card), lines: [] }
    case 'leave':
      return { guards: JSON.stringify({ node: frame.node }), lines: [] }
    case 'settings': {
      const { queue, revision, layer, settings } = frame
      return { guards: plain({ queue, revision, layer, settings }), lines: [] }
    }
    case 'clock':
      return { guards: JSON.stringify({ wallOffset: frame.wallOffset }), lines: [] }
    case 'schedule':
      return { guards: '', lines: frame.items.map(plain) }
    case 'tick':
      return { guards: '', lines: frame.items.map(tickLine) }
    case 'load':
      return { guards: '', lines: frame.items.map(loadLine) }
    case 'transit':
      return { guards: plain({ queue: frame.queue, transit: frame.transit }), lines: [] }
  }
}

/** The frame that these words say; null for the log's own kinds and for those of a later version. */
export function readFrame(kind: string, guards: string, lines: readonly string[]): Frame | null {
  switch (kind) {
    case 'insert': {
      const lots = guards === '' ? [lines.length] : (JSON.parse(guards) as number[]) // as written above
      return { kind, lots, items: lines.map((line) => readJob(line, false)) }
    }
    case 'claim':
      return readClaim(guards, lines)
    case 'settle':
      return { kind, items: lines.map(readSettle) }
    case 'note':
      return { kind, items: lines.map(readNote) }
    case 'control':
      return { kind, items: lines.map(readControl) }
    case 'pause': {
      const said = JSON.parse(guards) as Omit<PauseFrame, 'kind' | 'action'> & PauseWords // as written above
      const { do: action, queue, group, by } = said
      return { kind, action, queue, group, by }
    }
    case 'sweep': {
      const gone = JSON.parse(guards) as { node: string; beats: number } | null // as written above
      return { kind, gone, items: lines.map(readSweep) }
    }
    case 'drop':
      return { kind, items: lines.map(readDrop) }
    case 'beat': {
      const said = JSON.parse(guards) as { node: string; upTo: number } & { open: []; overdue: [] } // as written above
      return { kind, ...said }
    }
    case 'hello':
      return { kind, card: JSON.parse(guards) as Card } // as written above
    case 'leave':
      return { kind, ...(JSON.parse(guards) as { node: string }) } // as written above
    case 'settings': {
      const said = unplain(guards) as Omit<SettingsFrame, 'kind'> & { settings: SettingsLayer } // as written above
      return { kind, ...said }
    }
    case 'clock':
      return { kind, ...(JSON.parse(guards) as { wallOffset: number }) } // as written above
    case 'schedule':
      return { kind, items: lines.map((line) => unplain(line) as ScheduleChange) } // as written above
    case 'tick':
      return { kind, items: lines.map(readTick) }
    case 'load':
      return { kind, items: lines.map(readLoad) }
    case 'transit':
      return { kind, ...(unplain(guards) as Omit<TransitFrame, 'kind'>) } // as written above
    default:
      return null
  }
}

/** One item by itself, whole, as it was kept by its address. */
export function readItemLine(kind: 'job' | 'settle' | 'note' | 'control', line: string): Item {
  switch (kind) {
    case 'job':
      return readJob(line, true)
    case 'settle':
      return readSettle(line)
    case 'note':
      return readNote(line)
    case 'control':
      return readControl(line)
  }
}

interface PauseWords {
  readonly do: PauseFrame['action']
}

function claimLine(item: ClaimItem): string {
  return `[${quoted(item.queue)},${JSON.stringify(item.id)},${item.attempt}]`
}

function readClaim(guards: string, lines: readonly string[]): Frame {
  // As written above.
  const said = JSON.parse(guards) as {
    node: string
    asks: [string, string, number, number, number?][]
    on: [string, number][]
  }
  return {
    kind: 'claim',
    node: said.node,
    asks: said.asks.map(([queue, worker, claim, count, margin]) => {
      const ask = { queue, worker, claim, count }
      return margin === undefined ? ask : { ...ask, margin }
    }),
    guards: said.on.map(([queue, version]) => ({ queue, version })),
    items: lines.map((line) => {
      const [queue, id, attempt] = JSON.parse(line) as [string, string, number] // as written above
      return { queue, id, attempt }
    }),
  }
}

function dropLine(item: DropFrame['items'][number]): string {
  return JSON.stringify([item.queue, item.id, item.ended])
}

function readDrop(line: string): DropFrame['items'][number] {
  const [queue, id, ended] = JSON.parse(line) as [string, string, number] // as written above
  return { queue, id, ended }
}
