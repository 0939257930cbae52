// The heart's thread, which exists only compiled: what `npm run build` put into dist.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { Asked } from '../../src/engine/engine.js'
import type { Beat } from '../../src/store.js'
import type * as EngineModule from '../../src/engine/engine.js'
import type * as PortModule from '../../src/engine/heart-port.js'
import type * as MemoryModule from '../../src/stores/memory/memory-store.js'
import type * as SystemModule from '../../src/time/system.js'
import { newJob, overriding, signal, working } from './harness.js'

const dist = (path: string) => new URL(`../../dist/${path}`, import.meta.url)
const built = existsSync(dist('engine/heart-thread.js'))
const load = async <T>(path: string) => (await import(dist(path).href)) as T

const BEAT = 50
let ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  ends = []
})

/** A recipe whose beats are heard here. */
async function hearing(options: { readonly failing?: boolean | 'of ours' } = {}) {
  const { systemChance } = await load<typeof SystemModule>('time/system.js')
  const name = `beats-${systemChance.next()}`
  const module = new URL('./fixtures/beater.mjs', import.meta.url).href
  const recipe = { module, data: { name, failing: options.failing ?? false } }
  const beats: Beat[] = []
  let heard = signal()
  const channel = new BroadcastChannel(name)
  channel.onmessage = (event) => {
    beats.push((event as unknown as { data: Beat }).data) // as: the fixture posts beats alone
    heard.fire()
    heard = signal()
  }
  ends.push(() => channel.close())
  const until = async (enough: (beat: Beat) => boolean) => {
    while (!beats.some(enough)) await heard.done
  }
  return { beats, until, recipe }
}

/** A compiled engine whose store can be beaten for from a thread. */
async function beating(options: { readonly failing?: boolean | 'of ours' } = {}) {
  const { beats, until, recipe } = await hearing(options)
  const { memoryStore } = await load<typeof MemoryModule>('stores/memory/memory-store.js')
  const { Engine: Compiled } = await load<typeof EngineModule>('engine/engine.js')
  const { systemChance, systemClock } = await load<typeof SystemModule>('time/system.js')
  const store = overriding('beatRecipe', () => () => recipe)(memoryStore())
  const engine = new Compiled({
    ...{ store, scope: 't', clock: systemClock, chance: systemChance, upkeep: false },
    ...{ lease: 30_000, beat: BEAT, poll: 1_000 },
  }) // as: the same class, compiled
  ends.push(() => engine.close({ timeout: 100 }))
  return { engine, beats, until }
}

/** Lets what arrived be heard. */
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Holds this thread's event loop, as a handler does that computes. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe.skipIf(!built)("the heart's thread (needs `npm run build`)", () => {
  it('beats with what is open, also while a handler holds the loop, and names it overdue', async () => {
    const { engine, beats, until } = await beating()
    await engine.insert({ jobs: [newJob('a')] })
    const ready = signal()
    engine.start(
      working(async ({ claimed }): Promise<Asked> => {
        if (claimed.id === 'b') ready.fire()
        return new Promise(() => undefined)
      }),
    )
    await until((beat) => beat.open.length === 1)
    // Its time begins now that the thread is known to beat: on a busy machine that takes a while.
    await engine.insert({ jobs: [newJob('b', { timeout: 100 })] })
    await ready.done
    block(20 * BEAT)
    const overdue = () => beats.filter((beat) => beat.overdue.length > 0)
    await until(() => overdue().length > 0)
    const [{ node, upTo, open, overdue: tokens }] = overdue()
    expect(node).toBe(engine.node)
    expect(open).toHaveLength(2)
    expect(upTo).toBeGreaterThanOrEqual(Math.max(...open))
    expect(tokens).toHaveLength(1)
  })

  it('that fails is told once, and the loop beats in its place', async () => {
    const { engine, until } = await beating({ failing: true })
    const told = signal<string>()
    engine.events.on('store.error', ({ error }) => told.fire(String(error.cause)))
    await engine.insert({ jobs: [newJob('a')] })
    engine.start(working(() => new Promise<Asked>(() => undefined)))
    await until(() => true)
    expect(await told.done).toContain('the medium is away')
  })

  it('tells an error of ours as it is', async () => {
    const { engine } = await beating({ failing: 'of ours' })
    const told = signal<string>()
    engine.events.on('store.error', ({ error }) => told.fire(error.message))
    await engine.insert({ jobs: [newJob('a')] })
    engine.start(working(() => new Promise<Asked>(() => undefined)))
    expect(await told.done).toBe('STORE_WIPED store: expected a medium, received "none". Find it.')
  })

  it('rests when it is told to, goes on when there is work, and ends', async () => {
    const { HeartThread } = await load<typeof PortModule>('engine/heart-port.js')
    const { systemClock: clock } = await load<typeof SystemModule>('time/system.js')
    const { beats, until, recipe } = await hearing()
    const onError = (error: unknown): void => {
      throw error
    }
    const thread = HeartThread.begin({ recipe, clock, beat: BEAT, node: 'n1', onError })
    thread?.work()
    await until(() => beats.length > 1)
    thread?.rest()
    block(2 * BEAT)
    await turn()
    const resting = beats.length
    block(10 * BEAT)
    await turn()
    expect(beats.length).toBe(resting)
    thread?.rename('n2')
    thread?.work()
    await until(({ node }) => node === 'n2')
    await thread?.close()
    const ended = beats.length
    block(5 * BEAT)
    await turn()
    expect(beats.length).toBe(ended)
  })

  // Stopped in the midst of a call of the driver, a process ends by SIGABRT: nearly always so without the section.
  it.each(['exit', 'close', 'heal'])(
    'is stopped by %s outside of the native code it runs',
    async (how) => {
      const program = fileURLToPath(new URL('./fixtures/heart-exit.mjs', import.meta.url))
      const ended = promisify(execFile)(process.execPath, [program, how])
      await expect(ended).rejects.toMatchObject({ code: 7, stderr: '' })
    },
  )
})
