// One measurement in a process of its own, so that none inherits another's warm code or full heap.
// What to measure comes as JSON in the first argument; the answer is the last line of the output.
import { opener } from './subjects.mjs'
import * as backlog from './measures/backlog.mjs'
import * as cost from './measures/cost.mjs'
import { engine } from './measures/engine.mjs'
import * as enqueue from './measures/enqueue.mjs'
import { latency } from './measures/latency.mjs'
import { medium } from './measures/medium.mjs'
import { processing } from './measures/process.mjs'

const { measure, subject, folder, ...asked } = JSON.parse(process.argv[2])

/** A measurement that needs its subject open and nothing else. */
async function within(run) {
  const one = await opener(subject, folder)()
  const answer = await run(one, asked)
  await one.close()
  return answer
}

const measures = {
  sequential: () => within(enqueue.sequential),
  concurrent: () => within(enqueue.concurrent),
  hurried: () => within(enqueue.hurried),
  many: () => within(enqueue.many),
  process: () => processing(opener(subject, folder), asked),
  latency: () => latency(opener(subject, folder), asked),
  before: () => backlog.before(opener(subject, folder), asked),
  behind: () => backlog.behind(opener(subject, folder), asked),
  cost: () => cost.cost(opener(subject, folder), asked),
  idle: () => cost.idle(opener(subject, folder), asked),
  engine: () => engine({ ...asked, build: subject.build }),
  medium: () => medium({ ...asked, folder }),
}

const answer = await measures[measure]()
process.stdout.write(`\n${JSON.stringify(answer)}\n`)
