// Handlers of many tasks, with schemas of their own.
import { threadId } from 'node:worker_threads'
import { Discard, defineTask } from '../../../dist/index.js'

const fitting = (fits, message) => ({
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (fits(value) ? { value } : { issues: [{ message }] }),
  },
})
const input = fitting((value) => typeof value === 'number', 'not a number')
const output = fitting((value) => value < 1000, 'too large')

export default [
  defineTask('double', { queue: 'q', input, output }).handle((value) => value * 2),
  defineTask('where', { queue: 'q', input: fitting(() => true) }).handle(
    () => `${process.pid}/${threadId}`,
  ),
  defineTask('deep', { queue: 'q', input: fitting(() => true) }).handle(() => {
    throw new Discard('from deep code')
  }),
]
