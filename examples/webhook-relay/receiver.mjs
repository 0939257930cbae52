// The other side: an HTTP server on loopback that takes webhooks and is trouble, as others are.
// What it does depends on the number of a delivery alone, so every run tells the same story. It
// keeps what it accepted by job id: a second acceptance of one id is a repeat.
//
// By itself (`node receiver.mjs`) it is in a good mood, listens on port 4747 and takes everything.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

/** How the receiver takes delivery number n, from 1. */
export function moodOf(number) {
  if (number % 41 === 0) return 'gone' // 410: it wants no more of these
  if (number % 53 === 0) return 'down' // 503, every time
  if (number % 59 === 0) return 'silent' // never answers
  if (number % 29 === 0) return 'late' // accepts it; its first answer comes too late
  if (number % 9 === 0) return 'busy' // 503 once or twice, then accepts it
  return 'well'
}

/** `onAccepted` is called after a delivery was written down and before it is answered. */
export async function startReceiver({ port = 0, mood = moodOf, onAccepted = () => {} } = {}) {
  /** Job id → who brought it, each time that it was accepted: { worker, attempt }. */
  const accepted = new Map()
  /** Job id → how often it was brought. */
  const tries = new Map()
  /** Job ids in the order in which they were brought, each time. */
  const visits = []
  /** Job id → how often this digest came. */
  const digests = new Map()

  function accept(id, by) {
    accepted.set(id, [...(accepted.get(id) ?? []), by])
    onAccepted({ id, ...by })
  }

  async function receive(request, response) {
    await json(request)
    const id = String(request.headers['x-delivery'])
    if (request.url === '/news') return response.writeHead(204).end()
    if (request.url === '/digest') {
      digests.set(id, (digests.get(id) ?? 0) + 1)
      return response.writeHead(204).end()
    }
    visits.push(id)
    const by = {
      worker: Number(request.headers['x-worker']),
      attempt: Number(request.headers['x-attempt']),
    }
    const number = Number(id.replace('delivery-', ''))
    const seen = (tries.get(id) ?? 0) + 1
    tries.set(id, seen)

    const answer = (status) => response.writeHead(status).end()
    const isRepeat = accepted.has(id)
    if (!isRepeat) await delay(20 + ((number * 97) % 40)) // it has other things to do
    if (response.destroyed) return // the sender gave up waiting

    switch (isRepeat ? 'well' : mood(number)) {
      case 'gone':
        return answer(410)
      case 'down':
        return answer(503)
      case 'silent':
        return once(response, 'close')
      case 'late':
        accept(id, by)
        return once(response, 'close')
      case 'busy':
        if (seen <= (number % 18 === 0 ? 2 : 1)) return answer(503)
    }
    accept(id, by)
    answer(204)
  }

  const server = createServer((request, response) => {
    // A sender that dies in the middle of a delivery takes its connection along: nothing is lost.
    receive(request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    accepted,
    visits,
    digests,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { url } = await startReceiver({
    port: 4747,
    mood: () => 'well',
    onAccepted: ({ id, attempt }) => console.log(`accepted ${id} (attempt ${attempt})`),
  })
  console.log(`taking everything at ${url}; stop with Ctrl-C`)
}
