// One copy in a process of its own, as `millrace copy` does it, with what it cost: told as JSON.
//   node copier.mjs <from> <to>
import { performance } from 'node:perf_hooks'
import { copy } from '../../dist/copy/copy.js'
import { storeSource } from '../../dist/copy/ends.js'
import { patient } from '../../dist/copy/patience.js'
import { storeByUrl } from '../../dist/store-url.js'
import { systemClock } from '../../dist/time/system.js'

const LOOK_EVERY = 2
const [from, to] = process.argv.slice(2)
const begun = performance.now()
const [source, target] = [storeByUrl(from), storeByUrl(to)]
for (const store of [source, target]) await store.open({ scope: 'default' })
const opened = performance.now()
const base = process.memoryUsage.rss()
const loop = watchLoop()
const { queues, ...report } = await copy({
  from: storeSource(patiently(source, from), 'copier'),
  to: patiently(target, to),
  again: false,
  tell: () => undefined,
})
const longest = loop.stop()
const seconds = (performance.now() - opened) / 1000
await Promise.all([source.close(), target.close()])
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
console.log(
  JSON.stringify({
    ...report,
    queues,
    seconds,
    openSeconds: (opened - begun) / 1000,
    processorSeconds: (userCPUTime + systemCPUTime) / 1e6,
    openMegabytes: base / 1e6,
    peakMegabytes: maxRSS / 1e3,
    longestMs: longest,
  }),
)

function patiently(store, name) {
  return patient({ store, name }, systemClock, (error) => console.error(error.message))
}

/** The longest time between two looks of a timer, in ms; the timer itself asks for some. */
function watchLoop() {
  let [longest, last] = [0, performance.now()]
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }
  const timer = setInterval(look, LOOK_EVERY)
  return {
    stop() {
      clearInterval(timer)
      look()
      return longest
    },
  }
}
