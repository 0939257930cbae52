// On a disk that is really full. `fill`: holds some jobs, enqueues until it is refused, ends what it
// holds, and is killed as it stands. `after`: opens what was left, on the disk that is still full, works
// it off, and enqueues again once there is room. Says what it saw, a line of JSON each.
import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { millrace } from '../../../dist/index.js'

const [part, url, place] = process.argv.slice(2)
const HELD = 20
const PAYLOAD = 'x'.repeat(4_000)
/** Beside the store; taken away to make room. */
const BALLAST = `${place}/ballast`
const BALLAST_BYTES = 1024 * 1024

function say(what) {
  writeSync(1, `${JSON.stringify(what)}\n`) // at once: whoever says it may be killed next
}

function wordsOf(error) {
  return { code: error.code ?? null, message: error.message }
}

async function enqueueUntilRefused(queue) {
  const taken = []
  for (;;) {
    try {
      taken.push((await queue.enqueue({ text: PAYLOAD })).id)
    } catch (error) {
      return { taken, refusal: wordsOf(error) }
    }
  }
}

async function fill(mill) {
  writeFileSync(BALLAST, Buffer.alloc(BALLAST_BYTES, 1))
  const held = mill.queue('held')
  const jobs = await held.enqueueMany(Array.from({ length: HELD }, (_, n) => ({ n })))
  let running = 0
  let letGo
  const gate = new Promise((resolve) => (letGo = resolve))
  await new Promise((resolve) => {
    held.work(
      async ({ n }) => {
        if (++running === HELD) resolve()
        await gate
        return n
      },
      { concurrency: HELD },
    )
  })
  const { taken, refusal } = await enqueueUntilRefused(mill.queue('filler'))
  say({ taken, refusal })
  letGo()
  const results = []
  for (const job of jobs) results.push(await job.result({ timeout: '30s' }))
  say({ results, held: jobs.map(({ id }) => id) })
  process.kill(process.pid, 'SIGKILL')
}

async function after(mill) {
  const filler = mill.queue('filler')
  const { available, completed } = await filler.counts()
  say({ available, completed, held: (await mill.queue('held').counts()).completed })
  const left = []
  let allRan
  const ended = new Promise((resolve) => (allRan = resolve))
  const worker = filler.work((_, job) => {
    left.push(job.id)
    if (left.length === available) allRan()
  })
  await ended
  await worker.stop()
  say({ left })
  rmSync(BALLAST)
  say({ again: (await filler.enqueue({ text: PAYLOAD })).status })
}

const mill = millrace(url)
mill.on('store.error', ({ error }) => say({ told: wordsOf(error) }))
try {
  await mill.open()
  await (part === 'fill' ? fill(mill) : after(mill))
  await mill.close()
} catch (error) {
  say({ failed: wordsOf(error) })
}
