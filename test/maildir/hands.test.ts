// What people do in a folder of many letters, when the system's news of it are lost: it is listed when
// there is a reason to doubt them, and letters that were written lately are looked into; and without a
// reason it is not.
import { beforeEach, describe, expect, it } from 'vitest'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { Hands } from '../../src/stores/maildir/hands.js'
import { layoutOf } from '../../src/stores/maildir/layout.js'
import { VirtualClock } from '../../src/time/virtual.js'

const LETTERS = 5_200
const TRAY = 'q/new'

let clock: VirtualClock
let disk: SimDisk
let known: Set<string>
let looked: string[]
let lists: number
let tell: (name: string | null) => void
let hands: Hands

const nameOf = (n: number): string =>
  `100-001577837800000-${String(n).padStart(10, '0')}.g1.vm.job${n}:2,`
const pathOf = (n: number): string => `${TRAY}/${nameOf(n)}`
const fullOf = (n: number): string => `/mail/default/${pathOf(n)}`

function write(n: number): void {
  const file = disk.create(fullOf(n))
  file.write(Buffer.from('{}'))
  file.close()
}

beforeEach(async () => {
  clock = new VirtualClock()
  disk = new SimDisk({ now: () => clock.wall() })
  const layout = layoutOf('/mail', 'default')
  for (const folder of ['/mail', layout.scope, `${layout.scope}/q`]) disk.makeFolder(folder)
  for (const tray of ['new', 'wait', 'done', 'cancelled', 'dead']) {
    disk.makeFolder(`${layout.scope}/q/${tray}`)
  }
  known = new Set()
  looked = []
  lists = 0
  for (let n = 0; n < LETTERS; n++) {
    write(n)
    known.add(pathOf(n))
  }
  const its = new Proxy(disk, {
    get: (_, name: keyof SimDisk) => {
      if (name === 'list') {
        return (path: string) => {
          if (path.endsWith(TRAY)) lists++
          return disk.list(path)
        }
      }
      if (name === 'watch') {
        return (path: string, onChange: (name: string | null) => void) => {
          if (path.endsWith(TRAY)) tell = onChange
          return () => undefined
        }
      }
      const value: unknown = disk[name]
      return typeof value === 'function' ? (value.bind(disk) as unknown) : value
    },
  })
  hands = new Hands({
    ...{ disk: its, layout, clock, warn: () => undefined, wall: () => clock.wall() },
    takers: {
      isOwn: () => false,
      mail: () => [],
      known: () => known,
      letters: (paths) => {
        looked.push(...paths)
        return []
      },
    },
  })
  await clock.advance(60_000)
  hands.goRound()
  await clock.advance(60_000)
  lists = 0
})

/** As the keeper goes it, for so long. */
async function rounds(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    hands.goRound()
    await clock.advance(5_000)
  }
}

describe('a folder of many letters', () => {
  it('is not listed while there are news of what happens in it', async () => {
    for (let n = 0; n < 3; n++) {
      disk.remove(fullOf(n))
      tell(nameOf(n))
      await rounds(10_000)
    }
    expect(looked).toEqual([0, 1, 2].map(pathOf))
    expect(lists).toBe(0)
  })

  it('is listed when it has changed and nobody told anything', async () => {
    disk.remove(fullOf(7))
    await rounds(10_000)
    expect(looked).toEqual([pathOf(7)])
    expect(lists).toBe(1)
  })

  it('is listed when the keeper was not told of what it did itself', async () => {
    disk.remove(fullOf(7))
    disk.remove(fullOf(8))
    tell(nameOf(8))
    await rounds(10_000)
    expect(looked).toEqual([pathOf(8)])
    known.delete(pathOf(8))
    hands.doubt([pathOf(9)])
    await rounds(10_000)
    expect(looked).toEqual([pathOf(8), pathOf(7)])
  })

  it('has letters that were edited looked into, and no others, when news were lost', async () => {
    const draft = '/mail/default/q/edited'
    const file = disk.create(draft)
    file.write(Buffer.from('{"edited":true}'))
    file.close()
    disk.rename(draft, fullOf(4_711))
    hands.doubt([pathOf(9)])
    await rounds(10_000)
    expect(looked).toEqual([pathOf(4_711)])
  })

  it('is listed when so much was told at once that the rest may have been dropped', async () => {
    disk.remove(fullOf(7))
    for (let n = 0; n < 9_000; n++) tell(nameOf(100 + (n % 50)))
    await rounds(10_000)
    expect(looked).toContain(pathOf(7))
  })

  it('is listed when the system says that it has dropped something', async () => {
    disk.remove(fullOf(7))
    tell(null)
    await clock.advance(1_000)
    expect(looked).toContain(pathOf(7))
  })
})
