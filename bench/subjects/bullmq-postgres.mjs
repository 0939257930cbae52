// BullMQ on PostgreSQL as a subject: what is completed is removed at once, which is its quickest.
import { createRequire } from 'node:module'

export async function load() {
  const require = createRequire(new URL('../peers/package.json', import.meta.url))
  const { createPostgresBackend, withBackend } = require('bullmq')
  const { Queue, Worker } = withBackend(createPostgresBackend)
  return async ({ url }) => {
    const connection = { connectionString: url, max: 20, migrate: true }
    const defaultJobOptions = { removeOnComplete: true, removeOnFail: true }
    const queue = new Queue('bench', { connection, defaultJobOptions })
    queue.on('error', ({ message }) => console.error(message))
    await queue.waitUntilReady()
    return {
      add: (payload) => queue.add('bench', payload),
      addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'bench', data }))),
      work(run, { concurrency }) {
        const handle = async ({ data }) => run(data)
        const worker = new Worker('bench', handle, { connection, concurrency })
        worker.on('error', ({ message }) => console.error(message))
        return () => worker.close()
      },
      left: () => queue.count(),
      close: () => queue.close(),
    }
  }
}
