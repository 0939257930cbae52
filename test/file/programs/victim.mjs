// A worker that dies of poison, as of a crash in native code. Argument: the store's URL.
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { poll: '100ms' })
process.on('disconnect', () => process.exit())
mill.queue('poisoned').work(
  ({ isPoison, n }) => {
    if (isPoison) process.kill(process.pid, 'SIGKILL')
    return n
  },
  { concurrency: 5 },
)
