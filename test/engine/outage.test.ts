// What is told of a store that does not answer: when trouble begins, now and then, and when it is over.
import { expect, it } from 'vitest'
import { Outage } from '../../src/engine/outage.js'
import { Events } from '../../src/observe/events.js'
import { VirtualClock } from '../../src/time/virtual.js'
import { storeError } from './harness.js'

function told() {
  const clock = new VirtualClock()
  const events = new Events({ clock, node: () => 'n' })
  const heard: string[] = []
  events.on('store.error', () => void heard.push('error'))
  events.on('store.recovered', () => void heard.push('recovered'))
  const outage = new Outage(clock, events)
  const fails = (): void => outage.failed(storeError('STORE_UNREACHABLE'), 100)
  return { clock, heard, outage, fails }
}

it('tells trouble once when it begins and every half a minute, and once that it is over', async () => {
  const { clock, heard, outage, fails } = told()
  for (let seconds = 0; seconds < 65; seconds++) {
    fails()
    await clock.advance(1_000)
  }
  outage.answered()
  outage.answered()
  expect(heard).toEqual(['error', 'error', 'error', 'recovered'])
})

it('tells trouble that was over for a while anew', async () => {
  const { clock, heard, outage, fails } = told()
  fails()
  outage.answered()
  await clock.advance(10_000)
  fails()
  outage.answered()
  expect(heard).toEqual(['error', 'recovered', 'error', 'recovered'])
})

it('tells trouble that comes back and lasts as soon as it has lasted', async () => {
  const { clock, heard, outage, fails } = told()
  fails()
  outage.answered()
  await clock.advance(3_000)
  for (let seconds = 0; seconds < 8; seconds++) {
    fails()
    await clock.advance(1_000)
  }
  outage.answered()
  expect(heard).toEqual(['error', 'recovered', 'error', 'recovered'])
})

it('does not tell one kind of call that fails among others which succeed again and again', async () => {
  const { clock, heard, outage, fails } = told()
  for (let tenths = 0; tenths < 650; tenths++) {
    fails()
    await clock.advance(50)
    outage.answered()
    await clock.advance(50)
  }
  expect(heard.filter((one) => one === 'error')).toHaveLength(3)
  expect(heard.filter((one) => one === 'recovered')).toHaveLength(3)
})
