// Workers that are killed while they share a PostgreSQL, which is killed itself and started again, and cut
// off from all of them once.
import { privatePostgres } from '../servers/postgres.js'
import { describeProcesses } from '../torture/processes.js'

const { why } = privatePostgres()

describeProcesses({ store: 'postgres', jobs: 1_000, kills: 6, outages: 2, why })
