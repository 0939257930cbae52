// Pushes so many messages a second to each queue, whatever becomes of them, and counts which were
// taken. A push that was refused for want of room is counted, too: that is what the limit is for.
const TICK = 20 // ms between two handfuls

/** One in so many. */
const FAILS = 100
const SLEEPS = 500

export async function stress(queues, { seconds, rate, everySeconds, look }) {
  const counts = { taken: 0, refused: 0 }
  const pushes = []
  let sent = 0
  const push = async (queue, n) => {
    try {
      await queue.enqueue({ n, kind: kindOf(n) })
      counts.taken++
    } catch (error) {
      if (error.code !== 'QUEUE_FULL') throw error
      counts.refused++
    }
  }
  const began = performance.now()
  let looked = began
  await new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const now = performance.now()
      // What a slow moment left out is made up for: the rate is kept, or there is an end to it.
      const due = Math.min(Math.floor(((now - began) / 1000) * rate), seconds * rate)
      for (; sent < due; sent++) {
        for (const queue of queues) pushes.push(push(queue, sent))
      }
      if (now - looked > everySeconds * 1000) {
        looked = now
        look().catch(reject)
      }
      if (sent < seconds * rate) return
      clearInterval(timer)
      resolve()
    }, TICK)
  })
  await Promise.all(pushes)
  await look()
  return counts
}

function kindOf(n) {
  if (n % SLEEPS === SLEEPS - 1) return 'sleeps'
  return n % FAILS === FAILS - 1 ? 'fails' : 'works'
}
