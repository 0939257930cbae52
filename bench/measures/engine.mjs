// The engine and the faces by themselves: a store that answers at once and keeps nothing. What is
// left is what a job costs the processor before any store has done its part.
import { pathToFileURL } from 'node:url'
import { Ledger } from '../ledger.mjs'
import { payload } from '../payload.mjs'

export async function engine({ build, jobs, concurrency }) {
  const { millrace } = await import(pathToFileURL(`${build}/index.js`).href)
  const { memoryStore } = await import(pathToFileURL(`${build}/stores/memory/memory-store.js`).href)
  const mill = millrace(handing(memoryStore(), jobs))
  const queue = mill.queue('bench')
  const enqueue = await cpuOf(jobs, async () => {
    for (let from = 0; from < jobs; from += 1000) {
      const calls = []
      for (let n = from; n < from + 1000; n++) calls.push(queue.enqueue(payload(n)))
      await Promise.all(calls)
    }
  })
  const ledger = new Ledger(jobs)
  let worker
  const process = await cpuOf(jobs, () => {
    return new Promise((resolve) => {
      const run = ({ n }) => {
        ledger.ran(n)
        if (ledger.total === jobs) resolve()
      }
      worker = queue.work(run, { concurrency })
    })
  })
  await worker.stop()
  await mill.close()
  const { missing, repeated } = ledger.verdict()
  return { enqueue, process, isExact: missing + repeated === 0 }
}

async function cpuOf(jobs, run) {
  const cpu = globalThis.process.cpuUsage()
  await run()
  const { user, system } = globalThis.process.cpuUsage(cpu)
  return (user + system) / jobs
}

/** Everything is the memory store's but inserts and exchanges, which cost next to nothing. */
function handing(memory, jobs) {
  let next = 0
  const settings = memory.open({ scope: 'default' }).then(async () => {
    const ask = { queue: 'bench', worker: '', claim: 1, tasks: null, limit: 0, alone: false }
    const { claimed } = await memory.exchange({ node: '', settle: [], claim: [ask] })
    return claimed[0].settings
  })
  const text = Array.from({ length: 1000 }, (_, n) => JSON.stringify(payload(n)).slice(1))
  const claimOf = (n) => ({
    queue: 'bench',
    id: `01HZZZZZZZZZZZZZZZ${String(n).padStart(8, '0')}`,
    token: String(n + 1),
    task: 'default',
    payload: {
      text: `{"n":${n},${text[n % 1000].slice(text[n % 1000].indexOf(',') + 1)}`,
      codec: 'json',
    },
    attempt: 1,
    round: 1,
    maxAttempts: 20,
    priority: 0,
    group: '',
    tags: [],
    meta: null,
    history: [],
    origin: null,
    timeout: 60_000,
    waited: 0,
    crashes: 0,
  })
  const insert = async (lots) =>
    lots.map((lot) => lot.jobs.map(({ id }) => ({ status: 'inserted', id })))
  const exchange = async ({ settle, claim }) => {
    const said = await settings
    const claimed = claim.map(({ limit }) => {
      const count = Math.min(limit, jobs - next)
      const given = Array.from({ length: count }, () => claimOf(next++))
      return { jobs: given, nextIn: next < jobs ? 0 : null, frugal: false, settings: said }
    })
    return { settled: settle.map(() => DONE), claimed }
  }
  return new Proxy(memory, {
    get(target, name) {
      if (name === 'insert') return insert
      if (name === 'exchange') return exchange
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const DONE = { status: 'done', state: 'completed', deadLetter: null }
