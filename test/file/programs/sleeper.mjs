// A worker that looks for jobs once an hour, if nobody wakes it. Argument: the store's URL.
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { poll: '1h' })
process.on('disconnect', () => process.exit())
mill.on('worker.started', () => process.send({ ready: true }))
mill.queue('sleepy').work(() => 'awake')
