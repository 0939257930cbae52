// Work of a known size, to be looked at from outside: how many bytes it writes, and, under strace,
// how many system calls it makes. Twice the work less once the work is free of start and end.
import { readFileSync } from 'node:fs'
import { payload } from '../payload.mjs'
import { alone } from './process.mjs'

const TOGETHER = 1000

export async function cost(open, { part, jobs, concurrency }) {
  const subject = await open()
  const before = written()
  if (part === 'enqueue') {
    for (let from = 0; from < jobs; from += TOGETHER) {
      const calls = []
      for (let n = from; n < from + TOGETHER; n++) calls.push(subject.add(payload(n)))
      await Promise.all(calls)
    }
  } else if (part === 'process') {
    await alone(subject, { jobs, stay: 0, concurrency })
  }
  const bytes = written() - before
  await subject.close()
  return { bytes }
}

/** An open store with a worker that has nothing to do; `ready` is printed when it rests. */
export async function idle(open, { seconds }) {
  const subject = await open()
  const stop = subject.work(() => undefined, { concurrency: 10 })
  await new Promise((resolve) => setTimeout(resolve, 3000))
  process.stderr.write('ready\n')
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000 + 2000))
  await stop()
  await subject.close()
  return {}
}

/** Bytes handed to write calls, whether or not they have reached the disk. */
function written() {
  return Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1])
}
