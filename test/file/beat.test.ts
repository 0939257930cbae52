// The thread's beats are where others read them, also while a segment is being left.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { realDisk } from '../../src/disk/real-disk.js'
import { beater } from '../../src/stores/file/file-beat.js'
import { openableFileStore } from '../../src/stores/file/file-store.js'
import { layoutOf, segmentPath } from '../../src/stores/file/layout.js'
import { makeSegment } from '../../src/stores/file/segment.js'
import { quiet } from './machine.js'
import { newJob } from '../../src/testing/conformance/build.js'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-beat-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function beatsIn(segment: number): number {
  const text = readFileSync(segmentPath(layoutOf(root, 'default'), segment), 'latin1')
  return text.split('\n').filter((line) => / beat \{/.test(line)).length
}

it('a beat is in the old segment until there is work in the new one, and then only there', async () => {
  const warn = (): void => undefined
  const layout = layoutOf(root, 'default')
  const store = openableFileStore(
    { path: root, durability: 'process' },
    { warn, segmentBytes: 300 },
  )
  await store.open({ scope: 'default' })
  const { beat, close } = beater({ layout, base: 0, writer: 'thread' })
  const alive = { node: 'n', upTo: 0, open: [], overdue: [] }
  // As a process that was killed between making a segment and sealing the one before leaves it.
  await makeSegment({ disk: realDisk(), layout, writer: 'killed', warn }, 2)
  beat(alive)
  expect([beatsIn(1), beatsIn(2)]).toEqual([1, 1])

  for (let job = 0; !readFileSync(segmentPath(layout, 2), 'latin1').includes(' insert '); job++) {
    await store.insert([{ jobs: [newJob(`job-${job}`)] }])
    await quiet()
  }
  await store.close()
  const before = beatsIn(1)
  beat(alive)
  expect(beatsIn(1)).toBe(before)
  close()
})
