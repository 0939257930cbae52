// Puts in jobs and waits for what another process makes of them. Argument: the store's URL.
import { millrace } from '../../../dist/index.js'

const mill = millrace(process.argv[2], { upkeep: false })
const queue = mill.queue('squares')
const results = []
for (const n of [0, 1, 2, 3, 4]) results.push(await (await queue.enqueue(n)).result())
const failure = await (await queue.enqueue(-1)).result().catch(({ code }) => code)
process.send({ results: { results, failure } })
await mill.close()
process.disconnect()
