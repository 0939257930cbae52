// A worker: one process that takes jobs and runs the handler on them. Start as many as you like,
// on the same store; they share the work, and take over from one that dies. Copy this one.
import { millrace } from 'millrace'
import relay, { queue } from './handler.mjs'
import { digestOf, tell } from './others.mjs'

const mill = millrace(process.env.MILLRACE_URL ?? 'file:./queues', {
  scope: process.env.MILLRACE_SCOPE ?? 'default',
  drainOn: ['SIGTERM', 'SIGINT'], // finish what runs, then end
  beat: '1s', // how soon the others notice that this one is gone [5s]
})

// Its log: an event a line, as JSON.
const told = [
  ...['job.started', 'job.completed', 'job.retrying', 'job.discarded', 'job.lost'],
  'store.error', // trouble belongs into the log, too
]
for (const type of told) mill.on(type, (event) => console.log(JSON.stringify(event)))

mill.queue(queue).work(relay, { concurrency: 2 })
mill.queue('news').work(tell, { concurrency: 1 })
mill.queue('digests').work(digestOf(mill.queue(queue)), { concurrency: 1 })

// Started by main.mjs, it ends when main.mjs is gone.
process.on('disconnect', () => mill.close())
process.channel?.unref()
