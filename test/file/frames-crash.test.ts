// Frames on a disk that forgets: whatever a crash leaves, a reader finds every frame that was
// synced, finds no frame that nobody wrote, and the log goes on behind the damage.
import { describe, expect, it } from 'vitest'
import type { Disk } from '../../src/disk/disk.js'
import { scan, type ScanOptions } from '../../src/stores/file/frame-scan.js'
import { encodeFrame } from '../../src/stores/file/frames.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'

const LOG = '/log'

function frame(number: number): Buffer {
  const durable = { segment: 1, offset: 0 }
  const head = { kind: 'insert', writer: 'w', number, time: number, durable, guards: '[]' }
  return encodeFrame(head, [`{"n":${number}}`, 'x'.repeat(number * 150)]).bytes
}

function bytesOf(disk: Disk): Buffer {
  const file = disk.read(LOG)
  const into = Buffer.alloc(file.size())
  file.readAt(0, into)
  file.close()
  return into
}

/** The numbers of the frames that a reader takes; each must be, byte for byte, what was written. */
function numbersIn(bytes: Buffer, options: ScanOptions): number[] {
  return scan(bytes, 0, options).findings.flatMap((found) => {
    if (found.kind !== 'frame') return []
    const { number } = found.head
    expect(bytes.subarray(found.at, found.at + found.length).equals(frame(number))).toBe(true)
    return [number]
  })
}

/** Frames 1 and 2 are synced, 3 to 6 are not; one of those may be a short write. */
async function written(short: { number: number; bytes: number } | null): Promise<SimDisk> {
  const disk = new SimDisk()
  const file = disk.create(LOG)
  await disk.syncFolder('/')
  for (let number = 1; number <= 6; number++) {
    if (short?.number === number) disk.shortAt(disk.operations + 1, short.bytes)
    file.write(frame(number))
    if (number === 2) await file.sync()
  }
  return disk
}

describe('a log of frames after a power cut', () => {
  it.each(['any-subset', 'ext4-ordered'] as const)(
    'keeps what was synced (%s)',
    async (profile) => {
      const shorts = [null, ...[1, 30, 60, 90, 600].map((bytes) => ({ number: 4, bytes }))]
      const synced = frame(1).length + frame(2).length
      let states = 0
      for (const short of shorts) {
        const disk = await written(short)
        for (const left of disk.crashStates(profile, 10_000, seededChance(1))) {
          states++
          const found = numbersIn(bytesOf(left), { durable: synced, end: 'sealed' })
          expect(found.slice(0, 2)).toEqual([1, 2])
          if (short !== null) expect(found).not.toContain(short.number)

          // The log goes on: the next frame is found, and changes no verdict before it.
          left.append(LOG).write(frame(7))
          const after = numbersIn(bytesOf(left), { durable: synced, end: 'open' })
          expect(after).toEqual([...found, 7])
        }
      }
      expect(states).toBeGreaterThan(profile === 'any-subset' ? 200 : 20)
    },
  )
})
