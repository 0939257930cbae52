// The other two handlers: a headline of what happened, and a digest by the clock. Both go to the
// same receiver; the headlines spend the budget that they share with the webhooks.
const receiver = process.env.RECEIVER_URL ?? 'http://127.0.0.1:4747/'

export async function tell(headline, job) {
  await send('news', headline, job)
}

/** `webhooks`: the queue that the digest is of. */
export function digestOf(webhooks) {
  return async (_, job) => send('digest', await webhooks.counts(), job)
}

async function send(path, body, job) {
  const response = await fetch(new URL(path, receiver), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-delivery': job.id },
    body: JSON.stringify(body),
    signal: job.signal,
  })
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
}
