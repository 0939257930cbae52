// Copies or moves, and kills itself at a certain call, before it is made or behind it. Arguments: how,
// the source's URL, the target's, whose call, its verb, the number of the call, before or after.
import { copy } from '../../../dist/copy/copy.js'
import { storeSource } from '../../../dist/copy/ends.js'
import { move } from '../../../dist/copy/live.js'
import { storeByUrl } from '../../../dist/store-url.js'
import { systemClock } from '../../../dist/time/system.js'

const [how, fromUrl, toUrl, side, verb, nth, when] = process.argv.slice(2)

async function end(url, name, isIll) {
  const store = storeByUrl(url)
  await store.open({ scope: 'default' })
  if (!isIll) return { store, name }
  const inner = store[verb].bind(store)
  let calls = 0
  store[verb] = async (...words) => {
    const isLast = ++calls === Number(nth)
    if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL')
    const answer = await inner(...words)
    if (isLast) process.kill(process.pid, 'SIGKILL')
    return answer
  }
  return { store, name }
}

const from = await end(fromUrl, 'here', side === 'from')
const to = await end(toUrl, 'there', side === 'to')
const tell = () => undefined
const report =
  how === 'copy'
    ? await copy({ from: storeSource(from, 'mover'), to, again: false, tell })
    : await move({
        ...{ from, to, self: 'mover', producersStopped: false, follow: false, tell },
        ...{ signal: new AbortController().signal, clock: systemClock },
      })
await from.store.close()
await to.store.close()
process.stdout.write(JSON.stringify(report))
