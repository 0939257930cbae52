// Workers that are killed while they share one SQLite file.
import { describeProcesses } from '../torture/processes.js'

describeProcesses({ store: 'sqlite', jobs: 1_000, kills: 5, outages: 0 })
