// A process that owns a PGlite of its own, on a folder: it puts in a job that kills it, and runs it.
import { PGlite } from '@electric-sql/pglite'
import { millrace } from '../../../dist/index.js'
import { postgresStore } from '../../../dist/stores/postgres/postgres-store.js'

const [folder, id] = process.argv.slice(2)
const mill = millrace(postgresStore({ pool: await PGlite.create(folder) }), { lease: '1h' })
const queue = mill.queue('deadly')
await queue.enqueue('the payload', { id })
queue.work(() => process.kill(process.pid, 'SIGKILL'))
