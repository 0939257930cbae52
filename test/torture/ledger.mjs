// What each process of the torture writes down for itself: an append-only file of lines of words.
// A line is in the kernel before `write` returns, so it outlives a kill -9 of its writer; a line
// without its end was never written. The instants are of the one monotonic clock of this host, so
// that lines of different processes can be put in order.
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Nanoseconds on the host's monotonic clock: the same clock in every process. */
export const instant = () => process.hrtime.bigint()

export function openLedger(path) {
  const file = openSync(path, 'a', 0o600)
  return {
    write: (...words) => writeSync(file, `${words.join(' ')}\n`),
    /** Several lines, and all of them on the disk. */
    writeSynced(lines) {
      writeSync(file, lines.map((words) => `${words.join(' ')}\n`).join(''))
      fdatasyncSync(file)
    },
    close: () => closeSync(file),
  }
}

/** Its whole lines, each as its words. */
export function readLedger(path) {
  const lines = readFileSync(path, 'utf8').split('\n')
  lines.pop() // what follows the last line end: nothing, or a line that was cut off
  return lines.map((line) => line.split(' '))
}

/** What a payload carries beside its key, so that a torn or foreign one is seen. */
export const filler = (key) => `${key};`.repeat(1 + (key.length % 7) * 6)
