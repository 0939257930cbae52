// How many jobs a second a producer gets answered, as durably as the subject says.
import { payload, payloads } from '../payload.mjs'

/** One after another: each `add` is awaited before the next. */
export function sequential(subject, { seconds }) {
  return rate(seconds, 1, (from) => subject.add(payload(from)))
}

/** What a server under load does: a thousand plain calls made together. */
export function concurrent(subject, { seconds, batch = 1000 }) {
  return rate(seconds, batch, (from) => {
    const calls = []
    for (let at = 0; at < batch; at++) calls.push(subject.add(payload(from + at)))
    return Promise.all(calls)
  })
}

/** Plain calls by a thousand callers who do not wait for each other. */
export function hurried(subject, { seconds, callers = 1000 }) {
  return hurry(subject, seconds, callers)
}

/** One call with a thousand jobs. */
export function many(subject, { seconds, batch = 1000 }) {
  return rate(seconds, batch, (from) => subject.addMany(payloads(from, batch)))
}

/** Calls `add(from)` over and over; what it does in the first tenth is warm-up and not counted. */
async function rate(seconds, batch, add) {
  let added = 0
  for (const until = performance.now() + seconds * 100; performance.now() < until; added += batch) {
    await add(added)
  }
  const warm = added
  const cpu = process.cpuUsage()
  const begun = performance.now()
  const until = begun + seconds * 1000
  for (; performance.now() < until; added += batch) await add(added)
  return answer(added - warm, begun, cpu, added)
}

async function hurry(subject, seconds, callers) {
  let added = 0
  const during = async (span) => {
    const until = performance.now() + span
    const caller = async () => {
      while (performance.now() < until) await subject.add(payload(added++))
    }
    await Promise.all(Array.from({ length: callers }, caller))
  }
  await during(seconds * 100)
  const warm = added
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await during(seconds * 1000)
  return answer(added - warm, begun, cpu, added)
}

function answer(jobs, begun, cpu, added) {
  const took = performance.now() - begun
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: (jobs / took) * 1000, cpuPerJob: (user + system) / jobs, added }
}
