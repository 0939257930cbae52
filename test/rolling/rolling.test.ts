// A deployment that rolls: real processes of two neighbouring versions work on one database at once, while the
// newer one migrates it under the older one's traffic. Nothing is lost, nothing runs twice. Code of two
// versions back is refused.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sharedPostgres } from '../servers/postgres.js'
import { release } from './releases.js'

const PROGRAM = fileURLToPath(new URL('programs/node.mjs', import.meta.url))
const server = await sharedPostgres()
const ENOUGH = 5 // jobs, before the deployment goes on

let folder: string
/** By how many versions later. */
let releases: readonly string[]
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-rolling-'))
  releases = [0, 1, 2].map((later) => release(folder, later))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const OPEN = { isOpen: true }

interface Said {
  readonly isOpen?: true
  readonly refused?: string
  readonly enqueued?: string
  readonly ran?: string
  readonly by?: string
  readonly resting?: true
  readonly trouble?: string
}

/** What all nodes have said. */
class Deployment {
  readonly #url: string
  readonly #nodes = new Map<string, ChildProcess>()
  readonly #hears = new Set<() => void>()
  #resting = 0
  readonly enqueued: string[] = []
  readonly ran: { readonly id: string; readonly by: string; readonly in: string }[] = []
  readonly troubles: string[] = []

  constructor(url: string) {
    this.#url = url
  }

  /** `later`: how many versions after the released one its code is. Answers when it is open, or refused. */
  async start(name: string, later: number): Promise<Said> {
    const node = fork(PROGRAM, [releases[later], this.#url, name])
    this.#nodes.set(name, node)
    node.on('message', (said: Said) => {
      if (said.enqueued !== undefined) this.enqueued.push(said.enqueued)
      if (said.ran !== undefined) this.ran.push({ id: said.ran, by: said.by ?? '', in: name })
      if (said.resting === true) this.#resting++
      if (said.trouble !== undefined) this.troubles.push(`${name}: ${said.trouble}`)
      for (const hear of [...this.#hears]) hear()
    })
    const [said] = (await once(node, 'message')) as [Said]
    return said
  }

  async stop(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    this.#nodes.delete(name)
    const closed = once(node, 'close')
    node.send('stop')
    expect(await closed).toEqual([0, null])
  }

  /** Jobs that `by` enqueues from now on run in `within`, and some more. */
  async crosses(by: string, within: string): Promise<void> {
    const from = this.ran.length
    await this.#until(() => {
      return (
        this.ran.slice(from).filter((run) => run.by === by && run.in === within).length > ENOUGH
      )
    })
  }

  /** They enqueue no more, and all that was enqueued has run. */
  async settles(...names: readonly string[]): Promise<void> {
    for (const name of names) this.#nodes.get(name)?.send('rest')
    await this.#until(() => this.#resting === names.length)
    await this.#until(() => new Set(this.ran.map(({ id }) => id)).size >= this.enqueued.length)
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const hear = (): void => {
        if (!holds()) return
        this.#hears.delete(hear)
        resolve()
      }
      this.#hears.add(hear)
      hear()
    })
  }

  end(): void {
    for (const node of this.#nodes.values()) node.kill('SIGKILL')
  }
}

async function rolls(url: string): Promise<void> {
  const nodes = new Deployment(url)
  try {
    expect(await nodes.start('old 1', 0)).toEqual(OPEN)
    expect(await nodes.start('old 2', 0)).toEqual(OPEN)
    await nodes.crosses('old 1', 'old 2')
    // It migrates under their traffic, and all three go on.
    expect(await nodes.start('new 1', 1)).toEqual(OPEN)
    await nodes.crosses('new 1', 'old 1')
    await nodes.crosses('old 2', 'new 1')
    await nodes.stop('old 1')
    // One that is started again as it was, as when a deployment is taken back halfway.
    expect(await nodes.start('old 3', 0)).toEqual(OPEN)
    await nodes.crosses('new 1', 'old 3')
    await nodes.crosses('old 3', 'new 1')
    await nodes.stop('old 2')
    await nodes.stop('old 3')
    expect(await nodes.start('newest', 2)).toEqual(OPEN)
    await nodes.crosses('newest', 'new 1')
    await nodes.crosses('new 1', 'newest')
    const refused = await nodes.start('too old', 0)
    expect(refused).toMatchObject({ refused: 'FORMAT_UNSUPPORTED' })
    expect(refused).toMatchObject({
      message: expect.stringMatching(/newer Millrace has brought/),
    })
    await nodes.settles('newest', 'new 1')
    await nodes.stop('newest')
    await nodes.stop('new 1')
  } finally {
    nodes.end()
  }
  const ran = nodes.ran.map(({ id }) => id)
  expect(new Set(ran).size, 'none runs twice').toBe(ran.length)
  expect(new Set(ran), 'none is lost').toEqual(new Set(nodes.enqueued))
  expect(nodes.troubles).toEqual([])
}

describe('a deployment that rolls', () => {
  it('on SQLite', { timeout: 120_000 }, async () => {
    await rolls(`sqlite:${join(folder, 'jobs.db')}`)
  })

  it.skipIf(server.isMissing)(`on PostgreSQL${server.why}`, { timeout: 120_000 }, async () => {
    await rolls(await server.database())
  })
})
