/**
 * Who keeps a maildir. One process at a time, named by a file that says who it is and what proves
 * that it lives; the number in the file's name is its generation, and stands in every name that it
 * writes. The first to link a number is its keeper, so there are never two of one generation.
 *
 *     .keeper/keeper.7      {"generation":7,"host":"mill","pid":4711,"proof":"…","fence":5}
 *                           beat 123456.7        while it keeps, in milliseconds of the host
 *                           fence 7              when all names are of its generation
 *                           left                 when it has gone in peace
 *
 * A keeper that left, or that is provably dead, is followed at once; one that is silent for a whole
 * lease (stopped, or on a host that nobody can ask) after that. What a silent one still writes when
 * it wakes has its generation in its name, and stands below the fence of those who came after it.
 */
import type { Disk, DiskFile } from '../../disk/disk.js'
import { isMissing, isOfSystem } from '../../disk/errno.js'
import type { Host } from '../../disk/host.js'
import { place, removeIfThere, writeAll } from '../../disk/place.js'
import { idOf } from '../../disk/root.js'
import type { Millis } from '../../job/job.js'
import { KIND, namesIn, readText } from './layout.js'
import type { Layout } from './layout.js'

export interface KeeperCard {
  readonly generation: number
  readonly nonce: string
  readonly host: string
  readonly pid: number
  readonly boot: string
  readonly proof: string | null
  /** Names of generations below this are worth nothing. */
  readonly fence: number
}

export interface KeeperParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly host: Host
  readonly hostname: string
  readonly pid: number
  readonly nonce: string
  /** How long a keeper may be silent. */
  readonly lease: Millis
}

/** What is seen of the present keeper. */
export interface Seen {
  readonly card: KeeperCard
  readonly state: 'keeps' | 'left' | 'dead' | 'silent'
  /** When it said last that it lives, by the clock of the host. */
  readonly beat: Millis
}

/** Rivals may be first so often while one tries. */
const TRIES = 16

export class Keeper {
  readonly card: KeeperCard
  readonly #parts: KeeperParts
  readonly #file: DiskFile
  /** Which file it is, and of which store: while it is open no other has this number. */
  readonly #inode: number | undefined
  readonly #store: string | null

  /** The one before may wake and write: its names must be left behind. */
  readonly mustFence: boolean

  private constructor(parts: KeeperParts, card: KeeperCard, file: DiskFile, mustFence: boolean) {
    this.mustFence = mustFence
    this.#parts = parts
    this.card = card
    this.#file = file
    const { disk, layout } = parts
    this.#inode = disk.facts(file.path)?.inode
    this.#store = idOf(disk, layout.root, KIND)
  }

  /** Becomes the keeper; or answers who is. */
  static async take(parts: KeeperParts): Promise<Keeper | KeeperCard> {
    for (let tries = 0; ; tries++) {
      const seen = lookForKeeper(parts)
      const isInTheWay = seen?.state === 'keeps' && seen.card.nonce !== parts.nonce
      if (seen !== null && (isInTheWay || tries === TRIES)) return seen.card
      const keeper = await Keeper.#follow(parts, seen)
      if (keeper !== null) return keeper
    }
  }

  static async #follow(parts: KeeperParts, seen: Seen | null): Promise<Keeper | null> {
    const { disk, layout, host, hostname, pid, nonce } = parts
    const generation = (seen?.card.generation ?? 0) + 1
    const fence = seen?.card.fence ?? 0
    const card: KeeperCard = {
      ...{ generation, nonce, host: hostname, pid, boot: host.boot, proof: host.proof, fence },
    }
    const path = keeperPath(layout, generation)
    const lines = Buffer.from(`${JSON.stringify(card)}\nbeat ${host.up()}\n`)
    const draft = `${layout.keeper}/.keeper.${nonce}`
    if (!(await place({ disk, draft, path, fill: (file) => writeAll(file, lines) }))) return null
    await disk.syncFolder(layout.keeper)
    for (const older of generations(disk, layout)) {
      if (older < generation) removeIfThere(disk, keeperPath(layout, older))
    }
    // Who is dead or has left writes nothing more; who is silent may.
    return new Keeper(parts, card, disk.append(path), seen?.state === 'silent')
  }

  /** All names are of this generation now; older ones are worth nothing from here on. */
  fence(): void {
    writeAll(this.#file, Buffer.from(`fence ${this.card.generation}\n`))
  }

  beat(): void {
    writeAll(this.#file, Buffer.from(`beat ${this.#parts.host.up()}\n`))
  }

  /**
   * Looks: 'followed' by another process, or 'gone' with its folder, which was removed, moved away or
   * replaced. A keeper's file is removed by who follows, who stands there by then.
   */
  standing(): 'first' | 'followed' | 'gone' {
    const { disk, layout } = this.#parts
    try {
      if (disk.facts(this.#file.path)?.inode === this.#inode) return 'first'
      if (idOf(disk, layout.root, KIND) !== this.#store) return 'gone'
      const newest = Math.max(0, ...generations(disk, layout))
      return newest > this.card.generation ? 'followed' : 'gone'
    } catch (error) {
      // Who may not look goes by the file that is open.
      if (!isOfSystem(error)) throw error
      return this.#file.links() > 0 ? 'first' : 'followed'
    }
  }

  /** In peace: whoever comes need not wait. */
  leave(): void {
    if (this.#file.links() > 0) writeAll(this.#file, Buffer.from('left\n'))
    this.#file.close()
  }

  /** Without a word, as one that was deposed. */
  letGo(): void {
    this.#file.close()
  }
}

function keeperPath(layout: Layout, generation: number): string {
  return `${layout.keeper}/keeper.${generation}`
}

const KEEPER = /^keeper\.(\d+)$/

function generations(disk: Disk, layout: Layout): number[] {
  const numbers: number[] = []
  for (const name of namesIn(disk, layout.keeper)) {
    const match = KEEPER.exec(name)
    if (match !== null) numbers.push(Number(match[1]))
  }
  return numbers
}

/** The keeper of the highest generation; null: there was never one. Reads only. */
export function lookForKeeper(
  parts: Pick<KeeperParts, 'disk' | 'layout' | 'host' | 'lease'>,
): Seen | null {
  const { disk, layout } = parts
  for (let tries = 0; ; tries++) {
    const numbers = generations(disk, layout)
    if (numbers.length === 0) return null
    try {
      const text = readText(disk, keeperPath(layout, Math.max(...numbers)))
      return judge(text, parts)
    } catch (error) {
      // It was followed between the two looks.
      if (!isMissing(error) || tries === TRIES) throw error
    }
  }
}

function judge(text: string, { host, lease }: Pick<KeeperParts, 'host' | 'lease'>): Seen {
  const [head, ...lines] = text.split('\n')
  const card = JSON.parse(head) as KeeperCard // it was whole and synced before it had its name
  const said = lines.filter((line) => line !== '')
  const fenced = said.findLast((line) => line.startsWith('fence '))
  if (fenced !== undefined)
    return judgeOf({ ...card, fence: Number(fenced.slice(6)) }, said, host, lease)
  return judgeOf(card, said, host, lease)
}

function judgeOf(card: KeeperCard, said: readonly string[], host: Host, lease: Millis): Seen {
  const beat = Number(said.findLast((line) => line.startsWith('beat '))?.slice(5) ?? 0)
  if (said.at(-1) === 'left') return { card, beat, state: 'left' }
  const liveness = card.boot === host.boot ? host.liveness(card.proof) : 'dead'
  if (liveness === 'dead') return { card, beat, state: 'dead' }
  // Asked by a process that does not keep it: an opening of its own came to nothing, or it has the
  // package twice. Either way it is followed, and fenced.
  if (card.proof !== null && card.proof === host.proof) return { card, beat, state: 'silent' }
  return { card, beat, state: host.up() - beat > lease ? 'silent' : 'keeps' }
}
