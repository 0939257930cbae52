// A large copy: so many jobs of every kind in a folder, copied to a file of SQLite and to a PostgreSQL of its
// own, each by a process of its own that tells its time and its memory. The copy compares counts, digests and
// order itself; here it is looked at whether all that was put in came over. Pages are alike however many there
// are, so what a copy takes must grow with the jobs, and its memory by no more than the source needs to be open.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { storeByUrl } from '../../dist/store-url.js'
import {
  completeWith,
  newJob,
  retryIn,
  settlement,
  unique,
} from '../../dist/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../dist/testing/conformance/played-node.js'

const COPIER = fileURLToPath(new URL('copier.mjs', import.meta.url))
const LOT = 2_500
const GROUPS = 1_000
const DAY = 86_400_000
/** Of a lot: run before the copy; half of them leave a result, the others wait for another attempt. */
const RUN = 100
/** What a copy may take over what its process has when both ends are open, in MB. */
const MEMORY_MOST = 400

/** `targets`: by name, where it goes. Answers counts and `faults`. */
export async function copies({ from, targets, jobs, onProgress }) {
  const faults = []
  const counts = { jobs: await filled(from, jobs, onProgress) }
  for (const [name, to] of Object.entries(targets)) {
    const told = await copied(from, to)
    if (told.stopped !== null) faults.push(`to ${name}: ${told.stopped}`)
    if (told.loaded !== counts.jobs) faults.push(`to ${name}: ${told.loaded} of ${counts.jobs}`)
    const over = told.peakMegabytes - told.openMegabytes
    if (over > MEMORY_MOST)
      faults.push(`to ${name}: ${Math.round(over)} MB over what it began with`)
    for (const figure of ['seconds', 'processorSeconds', 'openSeconds', 'longestMs'])
      counts[`${name}_${figure}`] = told[figure].toFixed(1)
    for (const figure of ['openMegabytes', 'peakMegabytes'])
      counts[`${name}_${figure}`] = Math.round(told[figure])
    onProgress(`${name}: ${Math.round(told.loaded / told.seconds)}/s`)
  }
  return { ...counts, faults }
}

async function copied(from, to) {
  const { stdout } = await promisify(execFile)(process.execPath, [COPIER, from, to])
  return JSON.parse(stdout)
}

/** Answers how many jobs are kept. */
async function filled(url, jobs, onProgress) {
  const store = storeByUrl(url)
  await store.open({ scope: 'default' })
  const keep = { completed: { count: Infinity, for: Infinity } }
  await store.declare('mail', { keep, backoff: { type: 'none' } })
  await store.declare('later', { keep })
  const node = await PlayedNode.enlist(store, cardOf('filler'))
  for (let from = 0; from < jobs; from += LOT) {
    const size = Math.min(LOT, jobs - from)
    const lot = Array.from({ length: size }, (_, at) => jobAt(from + at))
    await store.insert([{ jobs: lot }])
    if (from % (10 * LOT) === 0) {
      const { jobs: held } = await node.claim({ queue: 'mail', limit: RUN })
      await node.settleAll(
        held.map((job, at) =>
          settlement(job, at % 2 === 0 ? completeWith({ sent: at }) : retryIn(DAY)),
        ),
      )
    }
    if (from % (40 * LOT) === 0) onProgress(`${from} jobs are put in`)
  }
  await node.store.leave('filler')
  let kept = 0
  let cursor = null
  do {
    const page = await store.queues({ limit: 100, cursor })
    for (const { counts } of page.items) for (const count of Object.values(counts)) kept += count
    cursor = page.cursor
  } while (cursor !== null)
  await store.close()
  return kept
}

/** Most are plain; some have a group, a delay, a key, a parent, tags. */
function jobAt(n) {
  const id = `job-${n}`
  const payload = {
    text: JSON.stringify({ to: `${n}@example.com`, body: 'x'.repeat(60) }),
    codec: 'json',
  }
  const words = { queue: 'mail', payload, priority: n % 7 === 0 ? (n % 3) - 1 : 0 }
  if (n % 4 === 1) words.group = `customer ${n % GROUPS}`
  if (n % 10 === 2) Object.assign(words, { queue: 'later', delay: DAY + n })
  if (n % 50 === 3) words.unique = unique(`key ${n}`)
  if (n % 50 === 4) words.after = [{ queue: 'mail', id: `job-${n - 1}` }]
  if (n % 20 === 5) words.tags = ['vip', `n${n % 10}`]
  return newJob(id, words)
}
