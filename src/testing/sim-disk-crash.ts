/**
 * What may be left after a crash. A profile says which of the changes that no sync has committed
 * can survive together; this file draws one such outcome, or lists them: all of them while they
 * are few, else those in which faults hide, and random ones.
 *
 * The method is that of ALICE (Pillai et al., OSDI 2014): record what was done, leave out what the
 * file system was free to leave out, and see whether recovery copes.
 */
import type { Chance } from '../time/clock.js'
import { Platter } from './sim-disk-platter.js'
import type { Change, DataChange, Inode } from './sim-disk-tree.js'

/**
 * `any-subset`: any of the changes, each by itself, data also torn or as zeros; the worst that
 * POSIX allows. `ext4-ordered`: changes of names survive up to some moment, and any sync commits
 * all names before it; of a file's unsynced data a beginning survives, cut at a write or a page.
 * `kill`: the process dies, the kernel lives: everything, synced or not, is as it was.
 */
export type CrashProfile = 'any-subset' | 'ext4-ordered' | 'kill'

/** What becomes of one change: all, nothing, its first `torn` bytes, or its length in zeros. */
export type Fate = 'present' | 'absent' | 'zeros' | { readonly torn: number }

/** Up to this many changes every subset is tried: 4,096 states. */
export const ENUMERATED = 12
const RANDOM_STATES = 256
const SECTOR = 512
const PAGE = 4096

/** One outcome, with the fate of every pending change for a witness. */
export interface Aftermath {
  readonly platter: Platter
  readonly story: readonly string[]
}

export function crashed(platter: Platter, profile: CrashProfile, chance: Chance): Aftermath {
  switch (profile) {
    case 'kill':
      return killed(platter)
    case 'any-subset':
      return survivors(momentOf(platter), anyFates(platter.pending, chance))
    case 'ext4-ordered':
      return survivors(momentOf(platter), orderedFates(platter.pending, chance))
  }
}

/** Different outcomes, at most `limit`, the telling ones first. */
export function* crashes(
  platter: Platter,
  profile: CrashProfile,
  limit: number,
  chance: Chance,
): Generator<Aftermath> {
  if (profile === 'kill') {
    if (limit > 0) yield killed(platter)
    return
  }
  // The crash is now, whatever is done on this disk while its outcomes are looked at.
  const moment = { ...momentOf(platter), base: platter.base.copy() }
  const { pending } = moment
  const seen = new Set<string>()
  for (const fates of candidates(pending, profile, chance)) {
    if (seen.size >= limit) return
    const key = JSON.stringify(fates)
    if (seen.has(key) || !isLegal(pending, fates, profile)) continue
    seen.add(key)
    yield survivors(moment, fates)
  }
}

function killed(platter: Platter): Aftermath {
  const pending = platter.pending.map((change) => ({ ...change }))
  const story = pending.map((change) => tell(change, 'present'))
  return { platter: new Platter(platter.live.copy().prune(), platter.base.copy(), pending), story }
}

interface Moment extends Pick<Platter, 'base' | 'pending'> {
  /** A crash loses what was in a file, and not when: else all would look as if long at rest. */
  readonly dates: ReadonlyMap<Inode, number>
}

function momentOf({ base, pending, live }: Platter): Moment {
  return { base, pending, dates: live.dates() }
}

function survivors({ base, pending, dates }: Moment, fates: readonly Fate[]): Aftermath {
  const tree = base.copy()
  const story = pending.map((change, index) => {
    const fate = fates[index]
    if (fate === 'present' || change.kind === 'names') {
      if (fate === 'present') tree.apply(change)
    } else if (fate === 'zeros') {
      tree.apply(change, new Uint8Array(change.bytes.length))
    } else if (fate !== 'absent') {
      tree.apply(change, change.bytes.subarray(0, fate.torn))
    }
    return tell(change, fate)
  })
  return { platter: new Platter(tree.date(dates).prune()), story }
}

function tell(change: Change, fate: Fate): string {
  const outcome = typeof fate === 'string' ? fate : `torn after ${fate.torn}`
  const what = change.kind === 'data' ? `${change.bytes.length} bytes at ${change.at}` : 'name'
  return `${outcome}: ${change.path} ${what}`
}

// Drawing one outcome ——————————————————————————————————————————————————————————————————————————

function anyFates(pending: readonly Change[], chance: Chance): Fate[] {
  // An even coin would hardly ever lose nearly all, or nearly nothing.
  const survival = [0.1, 0.5, 0.9][pick(chance, 3)]
  return pending.map((change) => {
    if (chance.next() < survival) return 'present'
    if (change.kind === 'names') return 'absent'
    const kinds = ['absent', 'torn', 'zeros'] as const
    const kind = kinds[pick(chance, kinds.length)]
    return kind === 'torn' ? tear(change.at, change.bytes.length, chance) : kind
  })
}

/** Cut at any byte, or at the end of any sector or page; a write within one of those is absent. */
function tear(at: number, length: number, chance: Chance): Fate {
  const unit = [1, SECTOR, PAGE][pick(chance, 3)]
  const ends = endsWithin(at, length, unit)
  return ends.length === 0 ? 'absent' : { torn: ends[pick(chance, ends.length)] }
}

/** How many bytes of a write lie before each boundary of `unit` that it crosses. */
function endsWithin(at: number, length: number, unit: number): number[] {
  const ends: number[] = []
  for (let end = unit - (at % unit); end < length; end += unit) ends.push(end)
  return ends
}

function orderedFates(pending: readonly Change[], chance: Chance): Fate[] {
  const sure = lastJournaled(pending)
  const names = pending.filter((change) => change.kind === 'names')
  const later = [...new Set(names.map((change) => change.step).filter((step) => step > sure))]
  const lastStep = [sure, ...later][pick(chance, later.length + 1)]
  const ends = new Map<number, number>()
  const fates: Fate[] = []
  for (const change of pending) {
    if (change.kind === 'names') fates.push(change.step <= lastStep ? 'present' : 'absent')
    else fates.push(orderedData(change, pending, ends, chance))
  }
  return fates
}

/** `ends` remembers for each file how far its data has survived. */
function orderedData(
  change: DataChange,
  pending: readonly Change[],
  ends: Map<number, number>,
  chance: Chance,
): Fate {
  let end = ends.get(change.inode)
  if (end === undefined) {
    const writes = dataOf(pending, change.inode)
    const cuts = writes.flatMap(({ at, bytes }) => [
      at,
      ...endsWithin(at, bytes.length, PAGE).map((length) => at + length),
      at + bytes.length,
    ])
    end = cuts.length === 0 ? 0 : cuts[pick(chance, cuts.length)]
    ends.set(change.inode, end)
  }
  if (change.isDropped || end <= change.at) return 'absent'
  return end >= change.at + change.bytes.length ? 'present' : { torn: end - change.at }
}

function dataOf(pending: readonly Change[], inode: number): DataChange[] {
  return pending.flatMap((change) =>
    change.kind === 'data' && change.inode === inode && !change.isDropped ? [change] : [],
  )
}

function lastJournaled(pending: readonly Change[]): number {
  const steps = pending.flatMap((change) =>
    change.kind === 'names' && change.isJournaled ? [change.step] : [],
  )
  return Math.max(0, ...steps)
}

function pick(chance: Chance, count: number): number {
  return Math.floor(chance.next() * count)
}

// Listing outcomes —————————————————————————————————————————————————————————————————————————————

function* candidates(
  pending: readonly Change[],
  profile: CrashProfile,
  chance: Chance,
): Generator<Fate[]> {
  const count = pending.length
  const where = (isThere: (index: number) => boolean): Fate[] =>
    pending.map((_, index) => (isThere(index) ? 'present' : 'absent'))

  yield where(() => false)
  yield where(() => true)
  for (let odd = 0; odd < count; odd++) yield where((index) => index !== odd)
  for (let odd = 0; odd < count; odd++) yield where((index) => index === odd)
  for (let end = 1; end < count; end++) yield where((index) => index < end)
  yield* damages(pending)
  if (count <= ENUMERATED) {
    for (let mask = 0; mask < 2 ** count; mask++) yield where((index) => (mask >> index) % 2 === 1)
    return
  }
  for (let state = 0; state < RANDOM_STATES; state++) {
    yield profile === 'any-subset' ? anyFates(pending, chance) : orderedFates(pending, chance)
  }
}

/** Each write torn or zeroed, once with all the others there and once with what came before it. */
function* damages(pending: readonly Change[]): Generator<Fate[]> {
  for (const [odd, change] of pending.entries()) {
    if (change.kind !== 'data') continue
    const { length } = change.bytes
    const ends = [SECTOR, PAGE].map((unit) => endsWithin(change.at, length, unit).at(-1))
    const cuts = new Set([1, length - 1, ...ends.filter((end) => end !== undefined)])
    const torn = [...cuts].filter((end) => end > 0 && end < length).map((end) => ({ torn: end }))
    for (const fate of [...torn, 'zeros'] as const) {
      yield pending.map((_, index) => (index === odd ? fate : 'present'))
      yield pending.map((_, index) => {
        if (index === odd) return fate
        return index < odd ? 'present' : 'absent'
      })
    }
  }
}

/** Whether a profile allows an outcome; `any-subset` allows all. */
function isLegal(
  pending: readonly Change[],
  fates: readonly Fate[],
  profile: CrashProfile,
): boolean {
  if (profile !== 'ext4-ordered') return true
  const sure = lastJournaled(pending)
  let lost = Infinity // the first step of which names are gone
  let kept = sure // the last of which names are there
  const ended = new Set<number>() // the files of which no more can survive
  for (const [index, change] of pending.entries()) {
    const fate = fates[index]
    if (change.kind === 'names') {
      if (fate === 'present') kept = Math.max(kept, change.step)
      else lost = Math.min(lost, change.step)
    } else if (change.isDropped) {
      if (fate !== 'absent') return false
    } else {
      if (fate === 'zeros' || (fate !== 'absent' && ended.has(change.inode))) return false
      if (typeof fate === 'object' && (change.at + fate.torn) % PAGE !== 0) return false
      if (fate !== 'present') ended.add(change.inode)
    }
  }
  return kept < lost
}
