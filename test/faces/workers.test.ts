// The workers of all nodes, page by page.
import { describe, expect, it } from 'vitest'
import { workersOf } from '../../src/overview.js'
import type { NodeRow, Store } from '../../src/store.js'

/** A store of these nodes, which counts how often it was asked. */
function storeOf(nodes: NodeRow[]) {
  const asked = { times: 0 }
  const look: Pick<Store, 'nodes'> = {
    nodes: ({ limit, cursor }) => {
      asked.times++
      const rest = nodes.filter(({ node }) => cursor === null || node > cursor)
      const items = rest.slice(0, limit)
      const last = rest.length > limit ? (items.at(-1)?.node ?? null) : null
      return Promise.resolve({ items, cursor: last })
    },
  }
  return { store: look as Store, asked } // as: nothing else of it is asked
}

function nodeOf(at: number, count: number): NodeRow {
  const node = `n${String(at).padStart(4, '0')}`
  const workers = Array.from({ length: count }, (_, one) => ({
    worker: `${node}.${one}`,
    queue: 'q',
    tasks: null,
    concurrency: 1,
    state: 'working' as const,
  }))
  const at0 = { startedAt: 0, beatAgo: 0, lost: false }
  return { node, host: 'h', pid: at, lease: 60_000, workers, running: [], ...at0 }
}

async function everyone(store: Store, limit: number, between: () => void = () => undefined) {
  const ids: string[] = []
  for (let cursor: string | null = null; ;) {
    const page = await workersOf(store, { limit, cursor })
    expect(page.length).toBeLessThanOrEqual(limit)
    ids.push(...page.map(({ id }) => id))
    cursor = page.next
    if (cursor === null) return ids
    between()
  }
}

describe('workers of all nodes', () => {
  it('are each shown once, on pages of any size', async () => {
    const nodes = [0, 3, 1, 0, 0, 5, 2, 0].map((count, at) => nodeOf(at, count))
    const all = nodes.flatMap(({ workers }) => workers.map(({ worker }) => worker))
    for (let limit = 1; limit <= all.length + 1; limit++) {
      expect(await everyone(storeOf(nodes).store, limit)).toEqual(all)
    }
  })

  it('cost one look for a hundred nodes', async () => {
    const nodes = Array.from({ length: 250 }, (_, at) => nodeOf(at, 2))
    const { store, asked } = storeOf(nodes)
    expect(await everyone(store, 1000)).toHaveLength(500)
    expect(asked.times).toBe(3)
  })

  it('are shown though nodes of the pages before have gone meanwhile', async () => {
    const nodes = Array.from({ length: 130 }, (_, at) => nodeOf(at, 2))
    const last = nodes.slice(-20).flatMap(({ workers }) => workers.map(({ worker }) => worker))
    const ids = await everyone(storeOf(nodes).store, 7, () => nodes.splice(0, 3))
    expect(ids).toEqual([...new Set(ids)])
    expect(ids.slice(-last.length)).toEqual(last)
  })

  it('are refused a page that begins nowhere', async () => {
    const { store } = storeOf([])
    await expect(workersOf(store, { limit: 1, cursor: 'x' })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})
