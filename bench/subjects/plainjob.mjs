// plainjob as a subject: SQLite through better-sqlite3, WAL, one worker, no log. It runs one job
// after the other whatever is asked for: more workers in one process only take turns (measured).
import { createRequire } from 'node:module'

export async function load() {
  const require = createRequire(new URL('../peers/package.json', import.meta.url))
  const Database = require('better-sqlite3')
  const { better, defineQueue, defineWorker } = await import(
    new URL('../peers/node_modules/plainjob/dist/plainjob.js', import.meta.url).href
  )
  const logger = { debug() {}, info() {}, warn() {}, error: console.error }
  return async ({ folder, synchronous }) => {
    const database = new Database(`${folder}/plainjob.db`)
    const queue = defineQueue({ connection: better(database), logger })
    database.pragma(`synchronous = ${synchronous}`)
    return {
      add: (payload) => queue.add('bench', payload),
      addMany: (payloads) => queue.addMany('bench', payloads),
      work(run) {
        const handle = async (job) => run(JSON.parse(job.data))
        // Its own way of being quick: the shortest poll that it takes.
        const worker = defineWorker('bench', handle, { queue, logger, pollIntervall: 1 })
        const done = worker.start()
        return async () => {
          await worker.stop()
          await done
        }
      },
      left: () => queue.countJobs({ type: 'bench', status: 0 }),
      close: () => queue.close(),
    }
  }
}
