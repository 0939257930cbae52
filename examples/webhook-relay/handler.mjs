// What is done with one webhook: it is sent on by HTTP, under the id of its job, so that the
// receiver can tell a repeat. Return: done. Throw: try again later. job.discard: never again.

/** The queue that this handler is for; `millrace work handler.mjs` reads it, too. */
export const queue = 'webhooks'

const receiver = process.env.RECEIVER_URL ?? 'http://127.0.0.1:4747/'

export default async function relay({ event, body }, job) {
  const response = await fetch(receiver, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-event': event,
      'x-delivery': job.id,
      'x-attempt': String(job.attempt),
      'x-worker': String(process.pid),
    },
    body: JSON.stringify(body),
    signal: job.signal, // aborts at the queue's timeout, and when an operator cancels the job
  })
  if (response.ok) return { status: response.status }
  const answer = `${response.status} ${response.statusText}`
  if (response.status >= 400 && response.status < 500) return job.discard(answer)
  throw new Error(answer)
}
