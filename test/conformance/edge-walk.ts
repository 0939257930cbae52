// Life at the edge of a limited backlog: lots that fit or do not, claims, verdicts of every kind, commands,
// time that goes by. What a store answers must be what memory answers, refusals and all.
import type { OpenMedium } from 'millrace/testing'
import { seededChance } from 'millrace/testing'
import type { Claimed } from '../../src/job/claim.js'
import type { Verdict } from '../../src/job/verdict.js'
import { COMPLETE, discardAs, retryIn, RELEASE, upTo } from '../../src/testing/conformance/build.js'
import { Rig } from '../../src/testing/conformance/rig.js'

const LIMIT = 6

/** A line for each step. */
export function edgeWalk(open: OpenMedium, seed: number, steps: number): Promise<string[]> {
  return Rig.within(open, (rig) => walkAt(rig, seed, steps), { seed })
}

async function walkAt(rig: Rig, seed: number, steps: number): Promise<string[]> {
  const chance = seededChance(seed)
  const below = (n: number): number => Math.floor(chance.next() * n)
  await rig.declare({ limits: { backlog: LIMIT }, deadLetter: 'dead', attempts: 3 })
  await rig.declare({ limits: { backlog: 2 } }, 'dead')
  const node = await rig.node()
  const tale: string[] = []
  let held: Claimed[] = []
  const verdicts: readonly Verdict[] = [COMPLETE, COMPLETE, retryIn(0), retryIn(9_000), RELEASE]
  for (const step of upTo(steps)) {
    const what = below(12)
    if (what < 5) {
      const queue = below(8) === 0 ? 'dead' : 'q'
      const lot = upTo(1 + below(3)).map(() => rig.job({ queue, delay: below(4) * 500 }))
      tale.push((await rig.insert(lot)).map(({ status }) => status).join())
    } else if (what < 8) {
      const { jobs } = await node.claim({ limit: 1 + below(3) })
      tale.push(`took ${jobs.length}`)
      held.push(...jobs)
    } else if (what < 10 && held.length > 0) {
      const [job, ...others] = held
      held = others
      const verdict = below(6) === 0 ? discardAs(`dead-${step}`) : verdicts[below(verdicts.length)]
      tale.push(JSON.stringify(await node.settle(job, verdict)))
    } else if (what === 10) {
      const kind = (['cancel', 'retry', 'delete'] as const)[below(3)]
      const states = kind === 'cancel' ? (['scheduled'] as const) : undefined
      const which = states === undefined ? {} : { states }
      const command = { queue: below(4) === 0 ? 'dead' : 'q', which }
      const { changed } = await rig.control(
        kind === 'cancel' ? { kind, reason: null, ...command } : { kind, ...command },
      )
      tale.push(`${kind} ${changed}`)
    } else {
      await rig.clock.advance(below(2_000))
      tale.push('time')
    }
    tale.push(JSON.stringify([await rig.counts(), await rig.counts('dead')]))
  }
  return tale
}
