// Puts in jobs of which one kills whoever runs it, waits for the ends of all, and says what became of
// them. Argument: the store's URL.
import { MillraceError, millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { upkeep: false, poll: '100ms' })
const options = { attempts: 3, backoff: { type: 'none' }, keep: { completed: 100 } }
const queue = mill.queue('poisoned', options)

const poison = await queue.enqueue({ isPoison: true })
const others = await Promise.all(
  Array.from({ length: 20 }, (_, n) => queue.enqueue({ isPoison: false, n })),
)
process.send({ poison: { poison: poison.id, neighbours: others.map(({ id }) => id) } })
process.on('disconnect', () => process.exit())

const [poisoned] = await Promise.allSettled([poison.result()])
if (!MillraceError.is(poisoned.reason, 'JOB_DISCARDED')) throw poisoned.reason
const completed = []
for (const job of others) {
  await job.result()
  completed.push(job.id)
}
const { attempt } = await queue.get(poison.id)
process.send({ completed: { attempts: attempt, completed } })
process.send({ discarded: poison.id })
