/**
 * What a handle is to a folder: a handle of its keeper, a visitor of the keeper in another process,
 * or somebody who only looks. Here each begins and ends; from one to another is in `handles.ts`.
 */
import type { Card } from '../../job/book/frame.js'
import type { Hint, Store } from '../../store.js'
import type { Clock, Timer } from '../../time/clock.js'
import { removeIfThere } from '../../disk/place.js'
import { serve } from './clerkship.js'
import { Deliverer } from './deliverer.js'
import type { DelivererParts } from './deliverer.js'
import type { KeeperParts } from './keeper.js'
import { checkFormat } from '../../disk/root.js'
import { KIND, queueFolders } from './layout.js'
import type { Post } from './post.js'
import type { Room } from './room.js'
import { Visitor } from './visitor.js'
import type { VisitorParts } from './visitor.js'

export interface Keeping {
  readonly kind: 'keeping'
  readonly store: Store
  readonly room: Room
  readonly stop: () => void
}

export interface Visiting {
  readonly kind: 'visiting'
  readonly visitor: Visitor
  readonly deliverer: Deliverer
  readonly stop: () => void
}

export interface Looking {
  readonly kind: 'looking'
  /** Why it does not keep the folder; null: it was told not to. */
  readonly why: unknown
  readonly stop: () => void
}

export type Role = Keeping | Visiting | Looking

/** Hints of a keeper in another process come at most so often. */
const HINT_EVERY = 10
/** A letter that no hint tells of is found by the keeper after so long at most. */
const ROUND = 250
/** And what others did in the folders, of which no news came, with every so many of these looks. */
const ROUNDS_TO_LIST = 20
/** What nobody has fetched for so long is fetched no more: askers wait for half a minute. */
const UNFETCHED = 10 * 60_000
/** A draft of a delivery that is so old is delivered no more: as long as mail has it. */
const UNDELIVERED = 36 * 3_600_000

type Tell = (hint: Hint) => void

export interface KeepingParts extends KeeperParts {
  readonly post: Post
  readonly store: Store
  readonly room: Room
  /** By which it looks at its post of itself; null: by hints alone. */
  readonly rounds: Clock | null
  /** One turn of the event loop. */
  readonly pause: () => Promise<void>
  readonly warn: (message: string) => void
}

export function beginKeeping(parts: KeepingParts, tell: Tell): Keeping {
  const { store, room, rounds, pause, warn, disk, layout, post } = parts
  const enlist = (card: Card): void => void room.commit({ kind: 'hello', card })
  const refuse = (error: unknown): void => {
    const reason = room.reasonOf(error)
    if (!room.isOver) warn(`the post could not be read: ${String(reason)}`)
  }
  let isOver = false
  const look = (isThorough: boolean): void => {
    const attend = async (): Promise<boolean> => {
      // News come in order, but a letter is seen before the news of it: only a turn later have all
      // been heard that are older than the letter.
      await pause()
      if (isOver || !room.keeps()) return false
      room.attend(isThorough)
      return true
    }
    // Who was followed leaves the letters to who came after.
    if (room.keeps()) serve({ post, store, enlist, attend, warn }).catch(refuse)
  }
  let round = 0
  let timer: Timer | null = null
  const goRound = (): void => {
    if (rounds !== null) room.turn()
    timer = rounds?.after(ROUND, goRound, { ref: false }) ?? null
    if (round++ % ROUNDS_TO_LIST === 0) room.attend(true)
    look(true)
  }
  const unwatch = disk.watch(layout.post, () => look(false))
  const deafen = store.watch(tell)
  const stop = (): void => {
    isOver = true
    timer?.cancel()
    unwatch()
    deafen()
  }
  tidy(post, parts, warn)
  goRound()
  return { kind: 'keeping', store, room, stop }
}

export function beginVisiting(parts: DelivererParts & VisitorParts, tell: Tell): Visiting {
  const visitor = new Visitor(parts)
  const unfollow = follow(parts, tell)
  const stop = (): void => {
    unfollow()
    visitor.close()
  }
  return { kind: 'visiting', visitor, deliverer: new Deliverer(parts), stop }
}

/** Throws what is wrong with the folder itself. */
export function beginLooking(
  parts: KeeperParts & { readonly clock: Clock },
  why: unknown,
  tell: Tell,
): Looking {
  checkFormat(parts.disk, parts.layout.root, KIND)
  return { kind: 'looking', why, stop: follow(parts, tell) }
}

/** Whatever the keeper writes down may be of interest: at once, then after rests. Answers how to stop. */
function follow(
  { disk, layout, clock }: KeeperParts & { readonly clock: Clock },
  tell: Tell,
): () => void {
  let rest: Timer | null = null
  let isHeard = false
  const hear = (): void => {
    isHeard = rest !== null
    if (isHeard) return
    rest = clock.after(HINT_EVERY, rested, { ref: false })
    for (const what of ['jobs', 'ends', 'control'] as const) tell({ what, queue: null })
  }
  const rested = (): void => {
    rest = null
    if (isHeard) hear()
  }
  const unwatch = disk.watch(layout.commit, hear)
  return () => {
    unwatch()
    rest?.cancel()
  }
}

/** What the askers of former keepers have left, and drafts of deliveries that came to nothing. */
function tidy(post: Post, parts: KeeperParts, warn: (message: string) => void): void {
  const { disk, layout, host } = parts
  try {
    post.tidy(host.wall() - UNFETCHED)
    for (const queue of queueFolders(disk, layout)) {
      const tmp = `${layout.scope}/${queue}/tmp`
      for (const name of disk.facts(tmp) === null ? [] : disk.list(tmp)) {
        const facts = disk.facts(`${tmp}/${name}`)
        const isOld = facts?.kind === 'file' && host.wall() - facts.modified > UNDELIVERED
        if (isOld) removeIfThere(disk, `${tmp}/${name}`)
      }
    }
  } catch (error) {
    warn(`old answers and drafts could not be removed: ${String(error)}`)
  }
}
