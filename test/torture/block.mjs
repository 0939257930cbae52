// A handler that holds its event loop for many leases keeps its job: the beat comes from a thread.
// Another process sweeps all the while, and finds nobody gone.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { millrace } from '../../dist/index.js'

const PROGRAM = fileURLToPath(new URL('blocker.mjs', import.meta.url))

/** All in milliseconds; `blocked`: how long, `timeout`: of the attempt. */
export async function block({ folder, blocked, timeout, lease, beat }) {
  const url = `file:${folder}/queues`
  const flag = join(folder, 'go-on')
  const mill = millrace(url, { lease: `${lease}ms`, beat: `${beat}ms` })
  const faults = []
  const counts = { blocked, lease, sweeps: 0, runs: 0, completions: 0 }
  mill.on('worker.lost', ({ worker }) => faults.push(`${worker} was taken for dead`))
  mill.on('job.lost', ({ attempt }) => faults.push(`its attempt ${attempt} was taken from it`))
  mill.on('sweep', () => counts.sweeps++)
  const queue = mill.queue('blocking', { timeout: `${timeout}ms` })
  const { id } = await queue.enqueue(null)
  const member = fork(PROGRAM, [url, flag, String(lease), String(beat)])
  const began = heard(member, 'began')
  const completed = heard(member, 'completed')
  member.on('message', ({ began, completed, failed, trouble }) => {
    if (began !== undefined) counts.runs++
    if (completed !== undefined) counts.completions++
    if (failed !== undefined) faults.push(`an attempt ended as ${failed}`)
    if (trouble !== undefined) faults.push(`it was told: ${trouble}`)
  })
  try {
    await began
    await passed(mill, blocked)
    const { state, attempt } = await queue.get(id)
    if (state !== 'running' || attempt !== 1) faults.push(`it is ${state}, attempt ${attempt}`)
    writeFileSync(flag, '')
    await completed
    const ended = once(member, 'close')
    member.send('close')
    await ended
    if (counts.sweeps === 0) faults.push('nobody swept')
  } finally {
    member.kill('SIGKILL')
    await mill.close()
  }
  return { ...counts, faults }
}

/** So long by the store's own clock: a job that is due then begins. */
async function passed(mill, blocked) {
  const clock = mill.queue('clock')
  await new Promise((resolve) => {
    clock.work(() => resolve())
    void clock.enqueue(null, { in: `${blocked}ms` })
  })
}

/** Rejects when it ends before it has said so. */
function heard(member, word) {
  return new Promise((resolve, reject) => {
    member.on('message', (message) => word in message && resolve(message[word]))
    member.once('close', () => reject(new Error(`it ended before it said "${word}"`)))
  })
}
