// Runs so many jobs, one at a time, and says in which order. Arguments: the store's URL, how many.
import { millrace } from '../../../dist/index.js'

const [url, count] = process.argv.slice(2)
const mill = millrace(url)
const order = []
process.on('disconnect', () => process.exit())
mill.queue('ordered').work((key) => {
  order.push(key)
  if (order.length === Number(count)) process.send({ order: { order } })
})
