/**
 * Who holds jobs, as small numbers that fit into names: a node and a worker of it. A number means
 * the same for as long as the node is known.
 */
export interface Holder {
  readonly number: number
  readonly node: string
  readonly worker: string
}

export class Holders {
  readonly #byName = new Map<string, Holder>()
  readonly #byNumber = new Map<number, Holder>()
  /** A number was given since somebody last looked. */
  isNew = false
  #last = 0

  constructor(known: readonly Holder[] = []) {
    for (const holder of known) this.#add(holder)
  }

  /** The number of this holder; a new one when it is new. */
  number(node: string, worker: string): number {
    const known = this.#byName.get(nameOf(node, worker))
    if (known !== undefined) return known.number
    const holder = { number: this.#last + 1, node, worker }
    this.#add(holder)
    this.isNew = true
    return holder.number
  }

  find(number: number): Holder | undefined {
    return this.#byNumber.get(number)
  }

  /** Those of nodes that are known; the others are forgotten. */
  of(nodes: ReadonlyMap<string, unknown>): Holder[] {
    for (const holder of this.#byName.values()) {
      if (nodes.has(holder.node)) continue
      this.#byName.delete(nameOf(holder.node, holder.worker))
      this.#byNumber.delete(holder.number)
    }
    return [...this.#byName.values()]
  }

  #add(holder: Holder): void {
    this.#byName.set(nameOf(holder.node, holder.worker), holder)
    this.#byNumber.set(holder.number, holder)
    this.#last = Math.max(this.#last, holder.number)
  }
}

function nameOf(node: string, worker: string): string {
  return `${node.length}:${node}${worker}`
}
