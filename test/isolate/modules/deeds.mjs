// A handler that does what its payload says, good or bad.
import { execSync, spawn } from 'node:child_process'
import { createConnection } from 'node:net'
import { isMainThread, resourceLimits, threadId } from 'node:worker_threads'

const who = () => `${process.pid}/${threadId}`
const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve))
const connected = (port) =>
  new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => resolve(socket))
  })
/** A child of this isolate, which lives until it is killed; answers when it is connected. */
const child = (port, options) =>
  new Promise((resolve) => {
    const program = `require('net').connect(${port}, '127.0.0.1', () => console.log('here'))`
    const stdio = ['ignore', 'pipe', 'inherit']
    spawn(process.execPath, ['-e', program], { stdio, ...options }).stdout.once('data', resolve)
  })

const deeds = {
  who,
  echo: (_job, { value }) => value,
  throw: (_job, { code }) => {
    throw Object.assign(new TypeError('no such thing'), { code })
  },
  'throw text': () => {
    throw 'just text'
  },
  uncaught: () => {
    setImmediate(() => {
      throw new RangeError('out in the open')
    })
    return new Promise(() => undefined)
  },
  /** Two steps in each attempt, of which the first is killed or fails between them. */
  steps: async (job, { until }) => {
    const first = await job.step('first', () => ({ by: job.attempt, at: new Date(7) }))
    if (job.attempt === 1) await deeds[until](job, {})
    const [second, same] = await Promise.all([
      job.step('second', async () => job.attempt),
      job.step('second', async () => 'never'),
    ])
    const none = await job.step('none', () => undefined)
    return { first, second, same, none, told: job.history[0].steps }
  },
  parents: async (job) => [await job.parents(), await job.parents()],
  throttle: (job) => job.throttle('1h'),
  'step too large': (job) => job.step('large', () => 'x'.repeat(2_000_000)),
  never: () => new Promise(() => undefined),
  loop: () => {
    for (;;);
  },
  'loop by progress': (job) => {
    job.progress(0.25)
    for (;;);
  },
  exit: () => process.exit(3),
  abort: () => process.abort(),
  segfault: () => {
    process.kill(process.pid, 'SIGSEGV')
    return new Promise(() => undefined)
  },
  memory: () => {
    const kept = []
    for (;;) kept.push(new Array(100_000).fill(kept.length))
  },
  heap: () => {
    if (!isMainThread) return resourceLimits.maxOldGenerationSizeMb
    return Number(/size=(\d+)/.exec(process.execArgv.join(' '))[1])
  },
  wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  sleep: (_job, { seconds }) => execSync(`sleep ${seconds}`),
  'loop with child': async (job, { port }) => {
    await connected(port)
    await child(port)
    job.progress(0.5)
    for (;;);
  },
  'exit with child': async (_job, { port }) => {
    await child(port)
    process.exit(4)
  },
  'until aborted': async (job) => {
    job.progress(0.5)
    await aborted(job.signal)
    throw job.signal.reason
  },
  'reason of abort': async (job) => {
    job.progress(0.5)
    await aborted(job.signal)
    return { name: job.signal.reason.name, code: job.signal.reason.code }
  },
  'until told': async (job, { port }) => {
    const socket = await connected(port)
    job.progress(0.5)
    await new Promise((resolve) =>
      socket.on('data', (text) =>
        `${text}` === 'go' ? resolve() : socket.write(`${process.pid}`),
      ),
    )
    socket.destroy()
    return who()
  },
  notes: (job) => {
    for (let line = 0; line < 10_000; line++) job.log(`line ${line}`)
    for (let step = 0; step <= 10_000; step++) job.progress(step / 10_000)
  },
  foreign: () => {
    if (process.send !== undefined) throw new Error('process.send is there')
    return 'alone'
  },
  face: async (job) => {
    const commit = await job.commit(() => undefined).catch((error) => error.code)
    const { id, queue, task, attempt, maxAttempts, priority, group, tags, meta } = job
    const plain = { id, queue, task, attempt, maxAttempts, priority, group, tags, meta }
    const { history, origin, token } = job
    return { ...plain, history, origin, commit, held: token.length > 0 }
  },
  snooze: (job) => (job.meta.again === true || job.history.length > 0 ? 0 : job.snooze('1h')),
  release: (job) => job.release(),
  discard: (job) => job.discard('no such address'),
  cancel: (job) => job.cancel('not wanted'),
  unreturned: (job) => void job.snooze('1s'),
  function: () => () => undefined,
}

export default (payload, job) => deeds[payload.deed](job, payload)
