/**
 * Beats from a thread of their own: "I live" must reach the log also while a handler blocks the
 * event loop for minutes. The thread has its own handle and knows nothing but where the log is and
 * how to read the host's clock. It writes into the newest segment, and until there is work in that
 * also into the one before, which may not be sealed yet: a beat that comes twice says nothing new,
 * and behind a seal it says nothing at all.
 */
import type { DiskFile } from '../../disk/disk.js'
import { realDisk } from '../../disk/real-disk.js'
import type { Beat } from '../../store.js'
import { encodeFrame } from './frames.js'
import { writeFrame } from './frame-words.js'
import { realHost } from '../../disk/host.js'
import { segmentPath, segments } from './layout.js'
import type { Layout } from './layout.js'
import { wasLeft } from './segment.js'

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
  /** The newest segment, and until it is known to be sealed the one before. */
  let files: DiskFile[] = []
  let number = 0
  const close = (): void => {
    for (const file of files) file.close()
    files = []
  }
  /** True when the newest segment is not the one of the last call. */
  const follow = (): boolean => {
    const newest = segments(disk, layout).at(-1) ?? 1
    const isNew = newest !== segment
    if (!isNew && (files.length < 2 || !wasLeft(disk, layout, segment - 1))) return false
    close()
    files = [disk.append(segmentPath(layout, newest))]
    const before = segmentPath(layout, newest - 1)
    if (disk.facts(before) !== null && !wasLeft(disk, layout, newest - 1)) {
      files.push(disk.append(before))
    }
    segment = newest
    return isNew
  }
  const write = ({ node, upTo, open, overdue }: Beat): void => {
    const { guards } = writeFrame({ kind: 'beat', node, upTo, open, overdue: overdue.map(Number) })
    // The thread knows nothing of what is durable, and so asserts nothing.
    const durable = { segment, offset: 0 }
    const time = host.up() + base
    const head = { kind: 'beat', writer, number: ++number, time, durable, guards }
    const { bytes } = encodeFrame(head, [])
    // A write that falls short is void, and is made again whole.
    for (const file of files) while (file.write(bytes) < bytes.length);
  }
  return {
    beat: (beat) => {
      follow()
      do write(beat)
      while (follow())
    },
    close,
  }
}
