// Livelock: many processes claim one job at a time from one queue. Appends of several processes can
// make each other's claims void; here it is counted how many, from the log itself, and how the jobs
// were shared out.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileStore } from '../../dist/stores/file/file-store.js'
import { newJob, upTo } from '../../dist/testing/conformance/build.js'

const PROGRAM = fileURLToPath(new URL('claimer.mjs', import.meta.url))
/** The design's bounds: at most 20 % of what was claimed is void, and each gets a 64th at least. */
const STRICT = { voided: 0.25, share: 1 / 64 } // of the jobs: 20 of 100 claims are 20 to 80
/** Beyond these there is no progress worth its name, however the processes are scheduled. */
const LOOSE = { voided: 1, share: 0 }

/** `isStrict`: also what depends on how the host shares out its cores is judged. */
export async function claims({ folder, processes, jobs, isStrict }) {
  const path = join(folder, 'queues')
  const store = fileStore({ path })
  await store.open({ scope: 'default' })
  for (let from = 0; from < jobs; from += 500) {
    const lot = upTo(Math.min(500, jobs - from)).map((n) => newJob(`job-${from + n}`))
    await store.insert([{ jobs: lot }])
  }
  const members = upTo(processes).map((n) => fork(PROGRAM, [path, `node-${n}`]))
  try {
    await Promise.all(members.map((member) => once(member, 'message')))
    const ended = members.map((member) => once(member, 'message'))
    const closed = members.map((member) => once(member, 'close'))
    for (const member of members) member.send('go')
    const told = (await Promise.all(ended)).map(([message]) => message)
    await Promise.all(closed)
    return judge({ jobs, processes, told, ...claimedIn(path), bounds: isStrict ? STRICT : LOOSE })
  } finally {
    for (const member of members) member.kill('SIGKILL')
    await store.close()
  }
}

/** How many claim frames the log has, and how many jobs they named, void ones included. */
function claimedIn(path) {
  const log = join(path, 'default', 'log')
  let frames = 0
  let named = 0
  for (const name of readdirSync(log)) {
    for (const frame of readFileSync(join(log, name), 'latin1').split('\x1e')) {
      const lines = frame.split('\n')
      if (!/^mr1 (\S+ ){7}claim /.test(lines[0])) continue
      frames++
      named += lines.length - 2
    }
  }
  return { frames, named }
}

function judge({ jobs, processes, told, frames, named, bounds }) {
  const taken = told.map((one) => one.taken)
  const sum = taken.reduce((total, one) => total + one, 0)
  const least = Math.min(...taken)
  const outrun = told.reduce((total, one) => total + one.outrun, 0)
  const voided = named - jobs
  const faults = []
  if (sum !== jobs) faults.push(`${jobs} jobs were there, and ${sum} were completed`)
  if (voided > jobs * bounds.voided) faults.push(`${voided} of ${named} claims were void`)
  if (least < Math.max(1, jobs * bounds.share)) {
    faults.push(`one of ${processes} processes got ${least} of ${jobs} jobs`)
  }
  if (outrun > jobs * bounds.voided) faults.push(`${outrun} claims lost every one of their tries`)
  return {
    jobs,
    processes,
    taken: sum,
    least,
    most: Math.max(...taken),
    frames,
    named,
    voided,
    outrun,
    faults,
  }
}
