/**
 * Jobs of one lot that come after each other: whether they can ever run. A circle can only be
 * within a lot, since whatever a job comes after is there before it, or comes with it.
 */
import type { JobRef } from './job.js'
import type { NewJob } from './lot.js'

/**
 * Jobs that wait for each other in a circle, each after the next, the first again at the end; null
 * when there is none. Jobs of one id, or of one unique key, will be one job, and count as one.
 */
export function circleIn(jobs: readonly NewJob[]): readonly JobRef[] | null {
  if (jobs.every(({ after }) => after.length === 0)) return null
  const graph = new Graph(jobs)
  for (const node of graph.nodes()) {
    const circle = graph.walk(node)
    if (circle !== null) return circle
  }
  return null
}

interface Step {
  readonly node: number
  /** Those that were not looked at yet. */
  readonly parents: Iterator<number, undefined>
}

class Graph {
  readonly #jobs: readonly NewJob[]
  /** By name: the job that it stands for, by its index. */
  readonly #byName = new Map<string, number>()
  /** Of each that is not one with an earlier job, all that are one with it, itself too. */
  readonly #others = new Map<number, number[]>()
  readonly #seen: ('no' | 'on the path' | 'done')[]

  constructor(jobs: readonly NewJob[]) {
    this.#jobs = jobs
    this.#seen = jobs.map(() => 'no')
    const byKey = new Map<string, number>()
    jobs.forEach((job, at) => {
      const key = job.unique === null ? null : nameOf({ queue: job.queue, id: job.unique.key })
      const same = this.#byName.get(nameOf(job)) ?? (key === null ? undefined : byKey.get(key))
      const first = same ?? at
      const others = this.#others.get(first)
      if (others === undefined) this.#others.set(first, [at])
      else others.push(at)
      this.#byName.set(nameOf(job), first)
      if (key !== null && !byKey.has(key)) byKey.set(key, first)
    })
  }

  nodes(): Iterable<number> {
    return this.#others.keys()
  }

  /** Down from here along a list, so that no depth is too deep. */
  walk(from: number): readonly JobRef[] | null {
    if (this.#seen[from] !== 'no') return null
    const path = [this.#enter(from)]
    while (path.length > 0) {
      const { node, parents } = path[path.length - 1]
      const next = parents.next()
      if (next.done === true) {
        this.#seen[node] = 'done'
        path.pop()
        continue
      }
      const parent = next.value
      if (this.#seen[parent] === 'no') path.push(this.#enter(parent))
      else if (this.#seen[parent] === 'on the path') {
        const nodes = path.map((step) => step.node)
        return [...nodes.slice(nodes.indexOf(parent)), parent].map((one) => this.#ref(one))
      }
    }
    return null
  }

  #enter(node: number): Step {
    this.#seen[node] = 'on the path'
    return { node, parents: this.#parents(node) }
  }

  *#parents(node: number): Iterator<number, undefined> {
    for (const one of this.#others.get(node) ?? []) {
      for (const ref of this.#jobs[one].after) {
        const parent = this.#byName.get(nameOf(ref))
        if (parent !== undefined) yield parent
      }
    }
  }

  #ref(node: number): JobRef {
    const { queue, id } = this.#jobs[node]
    return { queue, id }
  }
}

function nameOf({ queue, id }: JobRef): string {
  return `${queue}\0${id}`
}
