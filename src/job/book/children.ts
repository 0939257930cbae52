/**
 * From a parent to those that come after it: by slots, derived from the children's own rows and
 * rebuilt with them, never stored. A link whose child has left, or no longer looks at that slot, is
 * passed over, and cleared away before such links are half of all. What an end means for a child is
 * left to `kin.ts`.
 */
import type { Extra, KinView, Parent } from './extra.js'
import type { Sparse } from './sparse.js'

/** A child, and the row of it that looks at a parent. */
export interface Child {
  readonly slot: number
  readonly kin: KinView
  /** Where the row stands among those of the child. */
  readonly at: number
  readonly row: Parent
}

/** A child's slot and the place of the row in one number: a row's place is below this. */
const ROW_UNIT = 2 ** 20
/** Below this nothing is cleared away. */
const FEW = 32

interface Links {
  links: number[]
  /** At this many they are looked through. */
  most: number
}

export class Children {
  readonly #extras: Sparse<Extra>
  readonly #links = new Map<number, Links>()

  constructor(extras: Sparse<Extra>) {
    this.#extras = extras
  }

  /** The row at this place of the child looks at that slot. */
  add(parent: number, child: number, at: number): void {
    const link = child * ROW_UNIT + at
    const known = this.#links.get(parent)
    if (known === undefined) {
      this.#links.set(parent, { links: [link], most: FEW })
      return
    }
    known.links.push(link)
    if (known.links.length < known.most) return
    known.links = [...new Set(known.links)].filter((one) => this.#child(parent, one) !== null)
    known.most = Math.max(FEW, known.links.length * 2)
  }

  has(parent: number): boolean {
    return this.#links.has(parent)
  }

  /** How many links are kept, dead ones too. */
  sizeOf(parent: number): number {
    return this.#links.get(parent)?.links.length ?? 0
  }

  /** In the order in which they came. */
  of(parent: number): readonly Child[] {
    const known = this.#links.get(parent)
    if (known === undefined) return NOBODY
    return known.links.flatMap((link) => this.#child(parent, link) ?? [])
  }

  /** What the child knows of this parent is different now. */
  change(child: Child, change: Partial<Parent>): void {
    const kin = this.#extras.own(child.slot)?.kin
    if (kin != null) kin.parents[child.at] = { ...kin.parents[child.at], ...change }
  }

  /** Nothing more will become of this slot. */
  close(parent: number): void {
    if (!this.#links.has(parent)) return
    for (const child of this.of(parent)) this.change(child, { slot: -1 })
    this.#links.delete(parent)
  }

  /** What becomes of `from` becomes of `to`. */
  move(from: number, to: number): void {
    const known = this.#links.get(from)
    if (known === undefined) return
    for (const child of this.of(from)) this.change(child, { slot: to })
    this.#links.delete(from)
    this.#links.set(to, known)
  }

  #child(parent: number, link: number): Child | null {
    const at = link % ROW_UNIT
    const slot = (link - at) / ROW_UNIT
    const kin = this.#extras.get(slot)?.kin
    const row = kin?.parents[at]
    return kin == null || row?.slot !== parent ? null : { slot, kin, at, row }
  }
}

const NOBODY: readonly Child[] = []
