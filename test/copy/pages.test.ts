// A copy reads page after page of stores that may answer without waiting for anything: signals, timers and
// whoever else is in the process must have their turn between two pages.
import { expect, it } from 'vitest'
import { pagesOf } from '../../src/copy/ends.js'
import { patient } from '../../src/copy/patience.js'
import { systemClock } from '../../src/time/system.js'
import { put, sides } from './ends.js'

it('between two pages others have the event loop', async () => {
  const { from } = await sides()
  await put(from, 5_000)
  const { store } = patient(from, systemClock, (error) => {
    throw error
  })
  let turns = 0
  const next = (): void => {
    turns++
    turning = setImmediate(next)
  }
  let turning = setImmediate(next)
  let pages = 0
  for await (const page of pagesOf(store, 'jobs')) pages += page.length > 0 ? 1 : 0
  clearImmediate(turning)
  expect(pages).toBe(5)
  expect(turns).toBeGreaterThanOrEqual(pages - 1)
})
