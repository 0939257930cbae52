// A worker that answers with the square, or gives up. Argument: the store's URL.
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { drainOn: ['SIGTERM'] })
// It ends with the one who started it, and does not live for the channel's sake.
process.on('disconnect', () => process.exit())
process.channel?.unref()
mill.queue('squares').work((n, job) => (n < 0 ? job.discard('no such square') : n * n))
