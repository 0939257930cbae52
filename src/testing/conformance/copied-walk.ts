/**
 * A random life that is copied in its middle: what went before stands in both, and what comes after
 * is the same in both, claim by claim. All jobs are in one group, so that the order of claims is
 * wholly determined.
 */
import assert from 'node:assert/strict'
import type { Store } from '../../store.js'
import { retryIn, upTo } from './build.js'
import { carry, comparable, dumpAll, jobsIn } from './carrying.js'
import type { OpenMedium } from './medium.js'
import { cardOf, PlayedNode } from './played-node.js'
import { Rig } from './rig.js'
import { Walker } from './walker.js'

export interface CopiedWalk {
  readonly open: OpenMedium
  readonly seed: number
  readonly steps: number
  /** Where it is copied to [another scope of the same medium]. */
  readonly to?: OpenMedium
}

export async function copiedWalk({ open, seed, steps, to }: CopiedWalk): Promise<void> {
  await Rig.within(
    open,
    async (rig) => {
      const walker = await Walker.start(rig, seed, [''])
      for (const _ of upTo(steps)) await walker.step()
      await walker.rest()
      const medium = await to?.({ clock: rig.clock, chance: rig.chance })
      const there = await (medium?.connect() ?? rig.connect('copy'))
      try {
        const answers = await carry(rig.store, there, 50)
        assert.ok(answers.every(({ status }) => status === 'loaded' || status === 'present'))
        const before = comparable(await dumpAll(rig.store))
        assert.deepEqual(comparable(await dumpAll(there)), before, `seed ${seed}`)
        await rig.clock.advance(3_600_000)
        const known = new Set((await jobsIn(there)).map(({ id }) => id))
        assert.deepEqual(await liveOn(there, known), await liveOn(rig.store, known), `seed ${seed}`)
      } finally {
        if (medium !== undefined) {
          await there.close()
          await medium.destroy()
        }
      }
    },
    { seed },
  )
}

/**
 * Works it off, where every third job fails; answers all that was given, and what is left. Ids that
 * come about in a store follow from its own time.
 */
async function liveOn(store: Store, known: ReadonlySet<string>): Promise<unknown> {
  const alias = (id: string): string => (known.has(id) ? id : 'a letter')
  const node = await PlayedNode.enlist(store, cardOf('after'))
  const given: unknown[] = []
  while ((await node.sweep(500)).more) continue
  for (const queue of ['a', 'b', 'dead']) {
    for (let n = 0; ; n++) {
      const { jobs } = await node.claim({ queue, limit: 3, alone: true })
      if (jobs.length === 0) break
      given.push(jobs.map(({ token: _, waited: __, ...job }) => ({ ...job, id: alias(job.id) })))
      for (const [at, job] of jobs.entries()) {
        const verdict = retryIn(0)
        await node.settle(job, (n + at) % 3 === 0 ? verdict : { kind: 'complete', result: null })
      }
    }
  }
  const left = (await jobsIn(store)).map(({ queue, id, state, attempt, round }) => {
    return [queue, alias(id), state, attempt, round].join()
  })
  return { given, left: left.sort() }
}
