// Works off one queue of a maildir until it is told to end. The one that is called first keeps its first
// attempt of a job that says so, and never lets it go.
import { millrace } from '../../../dist/index.js'

const [path, name] = process.argv.slice(2)
const mill = millrace(`maildir:${path}`, { drainOn: ['SIGTERM'] })
const queue = mill.queue('work')
queue.work(
  async ({ holdsFirst }, job) => {
    if (holdsFirst && job.attempt === 1 && name === 'first') {
      process.send({ holds: job.id })
      await new Promise(() => undefined)
    }
    return `${name} ${job.attempt}`
  },
  { concurrency: 2 },
)
await mill.open()
process.send({ ready: true })
