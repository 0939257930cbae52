// Each of the five limits, met once on purpose, on a queue of its own with the settings of the others
// and room for three messages: size, queue length, lifetime, worker timeout, retries.
import { setTimeout as delay } from 'node:timers/promises'

const ROOM = 3

/** How many became dead letters by it, a line for each limit, and what was not as it should be. */
export async function breakLimits(mill, limited) {
  const queue = mill.queue('limits', { ...limited, limits: { ...limited.limits, backlog: ROOM } })
  const [ends, outcomes] = [new Map(), new Map()]
  const all = new Promise((resolve) => {
    mill.on('job.discarded', ({ queue, id, reason }) => {
      if (queue !== 'limits') return
      ends.set(id, reason)
      if (ends.size === ROOM) resolve()
    })
  })
  mill.on('attempt.failed', ({ id, outcome }) => outcomes.set(id, outcome))
  const refusal = (payload) =>
    queue.enqueue(payload).then(
      () => 'taken',
      ({ code }) => code,
    )

  const size = await refusal('x'.repeat(limited.limits.payloadBytes))
  const late = await queue.enqueue('late', { expiresIn: '1ms' })
  const fails = await queue.enqueue('fails')
  const sleeps = await queue.enqueue('sleeps')
  const length = await refusal('one too many')
  await delay(2) // nobody has started it by now
  const run = async (payload, { signal }) => {
    if (payload === 'fails') throw new Error('whatever one does')
    if (payload === 'sleeps') await delay(60_000, undefined, { signal })
  }
  const worker = queue.work(run, { concurrency: 1 })
  await all
  await worker.stop()
  const found = {
    'message size': [size, 'PAYLOAD_TOO_LARGE'],
    'queue length': [length, 'QUEUE_FULL'],
    'message lifetime': [ends.get(late.id), 'expired'],
    'worker timeout': [outcomes.get(sleeps.id), 'timeout'],
    'max retries': [ends.get(fails.id), 'attempts-spent'],
  }
  const lines = Object.entries(found).map(([limit, [met]]) => `${limit.padEnd(17)} ${met}`)
  const wrong = Object.entries(found).filter(([, [met, expected]]) => met !== expected)
  const faults = wrong.map(([limit, [met, expected]]) => `${limit}: ${met}, not ${expected}`)
  return { lines, faults, dead: ends.size }
}
