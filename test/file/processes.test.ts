// Workers that are killed while they share one folder.
import { describeProcesses } from '../torture/processes.js'

describeProcesses({ store: 'file', jobs: 2_000, kills: 7, outages: 0, late: 1 })
