// A root that somebody else made, and whose name he did not live to make durable, takes everything
// along when the power goes: whoever opens the store there makes it durable first.
import { expect, it } from 'vitest'
import { newJob, upTo } from '../../src/testing/conformance/build.js'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { seededChance } from '../../src/time/virtual.js'
import { hostAt, openHandle, ROOT } from './machine.js'

it('keeps what was answered below a root that another had made', async () => {
  const disk = new SimDisk()
  disk.makeFolder(ROOT)
  const hands = { ms: 1_000_000 }
  const parts = { rooms: new Map(), segmentBytes: 1024 * 1024 }
  const { store } = await openHandle({ ...parts, disk: disk.fork(), host: hostAt(hands, 1, 1) }, 1)
  await store.insert([{ jobs: [newJob('kept')] }])
  for (const seed of upTo(50)) {
    const left = disk.crash('any-subset', seededChance(seed))
    expect(left.facts(ROOT), `seed ${seed}`).not.toBeNull()
    const after = { disk: left, host: hostAt(hands, 2, 2), segmentBytes: 1024 * 1024 }
    const again = await openHandle({ ...after, rooms: new Map() }, 2)
    expect(await again.store.get([{ queue: 'q', id: 'kept' }])).toMatchObject([
      { job: { id: 'kept' } },
    ])
  }
})
