// The line of a job says what was said of the job, and no more: in the words that nearly every job
// needs, which are read by a shorter way, and in all others.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jobLine, readJob } from '../../src/stores/file/items.js'
import { newJob } from '../../src/testing/conformance/build.js'

const PLAIN = newJob('01J00000000000000000000000')

/** Names that a reader in a hurry takes for something else. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12 }),
  fc.constantFrom('"', '\\', '\t', '","g":"', '"}\t', '\u2028', 'ü', '\u0000', "'"),
)

const plain = fc.record({
  queue: name,
  id: name,
  task: fc.oneof(fc.constant('default'), name),
  priority: fc.integer({ min: -100, max: 100 }),
  group: fc.oneof(fc.constant(''), name),
  payload: fc.record({
    text: fc.oneof(fc.json(), fc.constantFrom('"\\t"', '"}\\t{"', '1\t2')),
    codec: fc.constant('json' as const),
  }),
})

const more = fc.record(
  {
    ownId: fc.boolean(),
    delay: fc.nat(),
    attempts: fc.integer({ min: 1, max: 20 }),
    timeout: fc.nat(),
    expiresIn: fc.nat(),
    tags: fc.array(name, { maxLength: 2 }),
    after: fc.array(fc.record({ queue: name, id: name }), { maxLength: 2 }),
    payload: fc.record({ text: fc.json(), codec: fc.constant('rich' as const) }),
  },
  { requiredKeys: [] },
)

it('a line that is read is the job that was written', () => {
  fc.assert(
    fc.property(plain, fc.oneof(fc.constant({}), more), (words, rest) => {
      const job = { ...PLAIN, ...words, ...rest }
      expect(readJob(jobLine(job), true)).toEqual(job)
    }),
    { numRuns: 2_000 },
  )
})

it('for folding the payload stays where it is', () => {
  const read = readJob(jobLine({ ...PLAIN, group: 'a' }), false)
  expect(read).toEqual({ ...PLAIN, group: 'a', payload: { text: 'null', codec: 'json' } })
})
