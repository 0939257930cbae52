// The desk and a porter who is late, and at times cannot do what he is handed: whatever moves come
// meanwhile, in the end the folder is as the last of them says, and nothing else lies in it.
import { describe, expect, it } from 'vitest'
import { SimDisk } from '../../src/testing/sim-disk.js'
import { Desk } from '../../src/stores/maildir/desk.js'
import { layoutOf, TRAYS } from '../../src/stores/maildir/layout.js'
import type { Move } from '../../src/stores/maildir/moves.js'
import type { PorterParts } from '../../src/stores/maildir/porter.js'
import { seededChance } from '../../src/time/virtual.js'
import { LatePorter } from './late-porter.js'

const LAYOUT = layoutOf('/mail', 'default')

function begin(disk: SimDisk) {
  for (const path of ['/mail', LAYOUT.scope, LAYOUT.keeper, LAYOUT.tmp]) disk.makeFolder(path)
  const warnings: string[] = []
  const parts: PorterParts = { disk, layout: LAYOUT, nonce: 'x' }
  const porter = new LatePorter(parts)
  const desk = new Desk({
    ...{ disk, layout: LAYOUT, porter, pause: async () => undefined },
    hasSpare: () => true,
    onQueue: () => undefined,
    warn: (message) => warnings.push(message),
  })
  return { desk, porter, warnings }
}

function read(disk: SimDisk, path: string): string {
  const file = disk.read(path)
  const bytes = Buffer.alloc(file.size())
  file.readAt(0, bytes)
  file.close()
  return bytes.toString()
}

function letters(disk: SimDisk): Record<string, string> {
  const found: [string, string][] = []
  for (const tray of TRAYS) {
    const folder = `${LAYOUT.scope}/q/${tray}`
    if (disk.facts(folder) === null) continue
    for (const name of disk.list(folder))
      found.push([`q/${tray}/${name}`, read(disk, `${folder}/${name}`)])
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What becomes of letters, at random: each move is legal after those before it. */
function* fates(seed: number): Generator<Move> {
  const chance = seededChance(seed)
  const dice = (sides: number): number => Math.floor(chance.next() * sides)
  const lives: { path: string; text: string }[] = []
  for (let n = 0; ; n++) {
    const at = dice(lives.length + 4)
    const life = lives.at(at)
    if (life === undefined || at >= lives.length) {
      const path = `q/new/${n}`
      const text = `born ${n}`
      lives.push({ path, text })
      yield { was: null, path, text }
      continue
    }
    const was = life.path
    if (dice(4) === 0) {
      lives.splice(at, 1)
      yield { was, path: null, text: null }
      continue
    }
    const [, , name] = was.split('/')
    life.path = `q/${TRAYS[dice(TRAYS.length)]}/${name}`
    const how = dice(3)
    if (how === 0) life.text = `${life.text}, ${n}`
    yield { was, path: life.path, text: how === 1 ? null : life.text, isKept: how === 2 }
  }
}

describe('the desk', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'has the folder as the moves say, though the porter is late and fails (seed %i)',
    async (seed) => {
      const disk = new SimDisk()
      const { desk, warnings } = begin(disk)
      const chance = seededChance(seed + 1_000)
      const told: Move[] = []
      // What fails stays with the desk, and is seen to below.
      const work = (): Promise<void> => desk.work().catch(() => undefined)
      const fault = seed % 2 === 0 ? 'rename' : 'remove'
      let working = Promise.resolve()
      for (const move of fates(seed)) {
        if (told.length === 400) break
        desk.take([move], told.push(move))
        if (chance.next() < 0.05) disk.failNext(fault, 'EIO')
        if (chance.next() < 0.1) working = work()
        if (chance.next() < 0.5) await Promise.resolve()
      }
      await working
      for (let tries = 0; desk.waiting > 0 && tries < 50; tries++) await work()
      expect(disk.log().some(({ outcome }) => outcome === 'failed')).toBe(true)
      await desk.sync()
      const expected = new Map<string, string>()
      for (const { was, path, text } of told) {
        const had = was === null ? '' : (expected.get(was) ?? '')
        if (was !== null) expected.delete(was)
        if (path !== null) expected.set(path, text ?? had)
      }
      expect(letters(disk)).toEqual(
        Object.fromEntries([...expected].sort(([a], [b]) => (a < b ? -1 : 1))),
      )
      expect(disk.list(LAYOUT.tmp)).toEqual([])
      expect(warnings).toEqual([])
      expect({ isClean: desk.isClean, oldest: desk.oldest }).toEqual({
        isClean: true,
        oldest: Infinity,
      })
    },
  )

  it('does what comes while it works with the next, and says how far all is done', async () => {
    const disk = new SimDisk()
    const { desk, porter } = begin(disk)
    desk.take([{ was: null, path: 'q/new/1', text: 'a' }], 1)
    porter.hold()
    const working = desk.work()
    desk.take([{ was: null, path: 'q/new/2', text: 'b' }], 2)
    desk.take([{ was: 'q/new/1', path: 'q/cur/1', text: null }], 3)
    expect([...desk.underWay()].sort()).toEqual(['q/cur/1', 'q/new/1', 'q/new/1', 'q/new/2'])
    expect(desk.oldest).toBe(1)
    porter.letGo()
    await working
    expect(letters(disk)).toEqual({ 'q/new/1': 'a' })
    expect(desk.oldest).toBe(2)
    await desk.work()
    expect(letters(disk)).toEqual({ 'q/cur/1': 'a', 'q/new/2': 'b' })
  })

  it('has done all that it had when it was asked, also by who comes while others wait', async () => {
    const disk = new SimDisk()
    const { desk, porter } = begin(disk)
    for (let number = 1; number < 200; number++) {
      desk.take([{ was: null, path: `q/new/${number}`, text: 'a' }], number)
      if (number % 7 === 0) porter.hold()
      const working = desk.work().then(() => {
        expect(desk.oldest).toBeGreaterThan(number)
      })
      for (let step = 0; step < number % 23; step++) await Promise.resolve()
      desk.take([{ was: `q/new/${number}`, path: `q/cur/${number}`, text: null }], number)
      const again = desk.work().then(() => {
        expect(letters(disk)).toHaveProperty([`q/cur/${number}`])
      })
      porter.letGo()
      await Promise.all([working, again])
    }
  })

  it('knows its deeds before they are done, and doubts those that were not', async () => {
    const disk = new SimDisk()
    const { desk, porter } = begin(disk)
    desk.take([{ was: null, path: 'q/new/1', text: 'a' }])
    await desk.work()
    expect(desk.isOwn('q/new/1')).toBe(true)
    expect(desk.isOwn('q/new/1')).toBe(false)
    porter.hold()
    desk.take([{ was: 'q/new/1', path: null, text: null }])
    const working = desk.work()
    disk.remove(`${LAYOUT.scope}/q/new/1`) // by hand, and the system tells of it before the porter does
    expect(desk.isOwn('q/new/1')).toBe(true)
    porter.letGo()
    await working
    expect(desk.forget()).toContain('q/new/1')
  })

  it('begins nothing when it is closed, and does not say that all is done', async () => {
    const disk = new SimDisk()
    const { desk } = begin(disk)
    desk.take([{ was: null, path: 'q/new/1', text: 'a' }])
    desk.close()
    await expect(desk.work()).rejects.toThrow('closed')
    expect(letters(disk)).toEqual({})
    expect(desk.waiting).toBe(1)
  })

  it('hands over what could not be written, and what it shall have by now', async () => {
    const disk = new SimDisk()
    const { desk, porter } = begin(disk)
    desk.take([{ was: null, path: 'q/new/1', text: 'a' }], 1)
    await desk.work()
    desk.take([{ was: 'q/new/1', path: 'q/done/1', text: 'b' }], 2)
    porter.hold()
    const working = desk.work()
    desk.take([{ was: 'q/done/1', path: 'q/new/1', text: null }], 3)
    disk.failNext('rename', 'ENOSPC')
    porter.letGo()
    await expect(working).rejects.toThrow('ENOSPC')
    expect(letters(disk)).toEqual({ 'q/new/1': 'a' })
    await desk.work()
    expect(letters(disk)).toEqual({ 'q/new/1': 'b' })
  })
})
