// Filling a disk with jobs, until one is refused.
import { json, newJob } from '../../src/testing/conformance/build.js'
import type { Store } from '../../src/store.js'

const PAYLOAD = json('x'.repeat(4_000))

export interface Refusal {
  readonly id: string
  readonly error: unknown
}

/** Inserts one by one; what was taken goes into `taken`. */
export async function fill(store: Store, taken: string[]): Promise<Refusal> {
  for (let n = 0; ; n++) {
    const id = `filler-${taken.length}-${n}`
    try {
      await store.insert([{ jobs: [newJob(id, { queue: 'filler', payload: PAYLOAD })] }])
      taken.push(id)
    } catch (error) {
      return { id, error }
    }
  }
}
