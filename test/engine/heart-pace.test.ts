// How often a node says that it lives, when its work comes and goes.
import { expect, it } from 'vitest'
import { COMPLETE, insert, newJob, rig, working } from './harness.js'

it('a node that is busy again and again beats at its interval: neither never nor at each job', async () => {
  const { clock, scripted, engine, told } = rig({ beat: 5_000 })
  engine.start(working(() => COMPLETE))
  for (let second = 0; second < 60; second++) {
    await insert(engine, newJob(`job ${second}`))
    await clock.advance(1_000)
  }
  expect(told('job.completed')).toHaveLength(60)
  expect(scripted.count('beat')).toBeGreaterThanOrEqual(6)
  expect(scripted.count('beat')).toBeLessThanOrEqual(12)
  await Promise.all([engine.close({ timeout: 0 }), clock.advance(60_000)])
})
