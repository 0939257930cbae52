// graphile-worker as a subject, with what its page on performance turns on: a local queue that fetches
// many jobs at once, and completions that are gathered. At least 24 jobs at once, as its own figures are
// taken.
import { createRequire } from 'node:module'

const LOCAL_QUEUE = 500
const LEAST_AT_ONCE = 24
const POOL = 20

export async function load() {
  const require = createRequire(new URL('../peers/package.json', import.meta.url))
  const { Logger, makeWorkerUtils, run: start } = require('graphile-worker')
  const logger = new Logger(() => (level, message) => {
    if (level === 'error') console.error(message)
  })
  return async ({ url, measure }) => {
    const way = { connectionString: url, maxPoolSize: POOL }
    const utils = await makeWorkerUtils({ ...way, logger })
    await utils.migrate()
    return {
      add: (payload) => utils.addJob('bench', payload),
      addMany: (payloads) =>
        utils.addJobs(payloads.map((payload) => ({ identifier: 'bench', payload }))),
      work(run, { concurrency }) {
        const quick = {
          localQueue: { size: LOCAL_QUEUE },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        }
        // The local queue keeps a job that comes alone waiting a little: its latency is better without.
        const tuned = measure === 'latency' ? {} : quick
        const concurrentJobs = Math.max(LEAST_AT_ONCE, concurrency)
        const preset = { worker: { concurrentJobs, ...tuned } }
        const taskList = { bench: (payload) => run(payload) }
        const started = start({ ...way, logger, noHandleSignals: true, preset, taskList })
        return async () => (await started).stop()
      },
      async left() {
        const text = 'SELECT count(*)::int AS n FROM graphile_worker._private_jobs'
        const { rows } = await utils.withPgClient((client) => client.query(text))
        return rows[0].n
      },
      close: () => utils.release(),
    }
  }
}
