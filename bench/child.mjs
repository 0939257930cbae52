// One measurement in a process of its own, so that none inherits another's warm code or full heap.
// What to measure comes as JSON in the first argument; the answer is the last line of the output.
import { opener } from './subjects.mjs'
import * as backlog from './measures/backlog.mjs'
import * as cost from './measures/cost.mjs'
import { engine } from './measures/engine.mjs'
import * as enqueue from './measures/enqueue.mjs'
import { latency } from './measures/latency.mjs'
import { medium } from './measures/medium.mjs'
import { server } from './measures/server.mjs'
import { processing } from './measures/process.mjs'

const { measure, subject, place, ...asked } = JSON.parse(process.argv[2])
const open = opener(subject, place, measure)

/** A measurement that needs its subject open and nothing else. */
async function within(run) {
  const one = await open()
  const answer = await run(one, asked)
  await one.close()
  return answer
}

const measures = {
  sequential: () => within(enqueue.sequential),
  concurrent: () => within(enqueue.concurrent),
  hurried: () => within(enqueue.hurried),
  many: () => within(enqueue.many),
  process: () => processing(open, asked),
  latency: () => latency(open, asked),
  before: () => backlog.before(open, asked),
  behind: () => backlog.behind(open, asked),
  cost: () => cost.cost(open, asked),
  idle: () => cost.idle(open, asked),
  engine: () => engine({ ...asked, build: subject.build }),
  server: () => server({ ...asked, ...place }),
  medium: () => medium({ ...asked, ...place }),
}

const answer = await measures[measure]()
process.stdout.write(`\n${JSON.stringify(answer)}\n`)
