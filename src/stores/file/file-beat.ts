/**
 * Beats from a thread of their own: "I live" must reach the log also while a handler blocks the
 * event loop for minutes. The thread has its own handle and knows nothing but where the log is and
 * how to read the host's clock. It writes into the segment that is written now, and when another
 * has begun meanwhile, into that too: a beat that comes twice says nothing new.
 */
import type { DiskFile } from '../../disk/disk.js'
import { realDisk } from '../../disk/real-disk.js'
import type { Beat } from '../../store.js'
import { encodeFrame } from './frames.js'
import { writeFrame } from './frame-words.js'
import { realHost } from './host.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'

/** What crosses from the store to the thread. */
export interface BeatData {
  readonly layout: Layout
  /** Store time is the host's time since it started, and this. */
  readonly base: number
  /** Names the thread in the frames that it writes. */
  readonly writer: string
}

export interface Beater {
  beat(beat: Beat): void
  close(): void
}

export function beater(data: unknown): Beater {
  const { layout, base, writer } = data as BeatData // from `beatRecipe` of the same version
  const disk = realDisk()
  const host = realHost()
  let segment = 0
  let file: DiskFile | null = null
  let number = 0
  /** The newest segment, opened; true when it is not the one of the last call. */
  const follow = (): boolean => {
    const newest = segments(disk, layout).at(-1) ?? 1
    if (newest === segment) return false
    file?.close()
    file = disk.append(segmentPath(layout, newest))
    segment = newest
    return true
  }
  const write = ({ node, upTo, open, overdue }: Beat): void => {
    const { guards } = writeFrame({ kind: 'beat', node, upTo, open, overdue: overdue.map(Number) })
    // The thread knows nothing of what is durable, and so asserts nothing.
    const durable = { segment, offset: 0 }
    const time = host.up() + base
    const head = { kind: 'beat', writer, number: ++number, time, durable, guards }
    const { bytes } = encodeFrame(head, [])
    // A write that falls short is void, and is made again whole.
    while (file !== null && file.write(bytes) < bytes.length);
  }
  return {
    beat: (beat) => {
      follow()
      do write(beat)
      while (follow())
    },
    close: () => {
      file?.close()
      file = null
    },
  }
}
