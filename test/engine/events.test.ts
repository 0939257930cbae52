import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import { EVENT_NAMES, Events } from '../../src/observe/events.js'
import type { EventMap } from '../../src/observe/events.js'
import { VirtualClock } from '../../src/time/virtual.js'

const events = () => new Events({ clock: new VirtualClock(), node: () => 'n1' })
const recovered = { after: 5 }

describe('events', () => {
  it('reach every listener with type, time and node, until it stops', () => {
    const hub = events()
    const heard: unknown[] = []
    const stop = hub.on('store.recovered', (event) => void heard.push(event))
    hub.on('store.recovered', (event) => void heard.push(event.after))
    hub.emit('store.recovered', recovered)
    stop()
    hub.emit('store.recovered', recovered)
    const at = new Date(Date.UTC(2000, 0, 1))
    expect(heard).toEqual([{ after: 5, type: 'store.recovered', at, node: 'n1' }, 5, 5])
  })

  it('are not built when nobody listens', () => {
    const hub = events()
    expect(hub.wants('store.recovered')).toBe(false)
    hub.emit('store.recovered', () => {
      throw new Error('built')
    })
  })

  it('go out on a diagnostics channel', () => {
    const hub = events()
    const heard: unknown[] = []
    const listen = (message: unknown) => void heard.push(message)
    subscribe('millrace:store.recovered', listen)
    expect(hub.wants('store.recovered')).toBe(true)
    hub.emit('store.recovered', recovered)
    unsubscribe('millrace:store.recovered', listen)
    hub.emit('store.recovered', recovered)
    expect(heard).toMatchObject([{ type: 'store.recovered', after: 5 }])
  })

  it('whose listener throws or rejects reach the others, and tell store.error', async () => {
    const hub = events()
    const heard: unknown[] = []
    const errors: EventMap['store.error'][] = []
    hub.on('store.error', (event) => void errors.push(event))
    hub.on('store.recovered', () => {
      throw new Error('mine')
    })
    const later = (async () => Promise.reject(new Error('later'))) as unknown as () => void // as: a user's async function is taken where void is asked
    hub.on('store.recovered', later)
    hub.on('store.recovered', () => void heard.push(1))
    hub.emit('store.recovered', recovered)
    await new VirtualClock().quiet()
    expect(heard).toEqual([1])
    expect(errors.map(({ error }) => (error.cause as Error).message)).toEqual(['mine', 'later'])
  })

  it('whose store.error listener throws end there', () => {
    const hub = events()
    let told = 0
    hub.on('store.error', () => {
      told++
      throw new Error('again')
    })
    const warnings: unknown[] = []
    const { emitWarning } = process
    process.emitWarning = (warning: unknown) => void warnings.push(warning)
    hub.on('store.recovered', () => {
      throw new Error('mine')
    })
    hub.emit('store.recovered', recovered)
    process.emitWarning = emitWarning
    expect(told).toBe(1)
    expect(warnings).toHaveLength(1)
  })

  it('have a catalogue, and no other names', () => {
    expect(EVENT_NAMES).toHaveLength(24)
    expect(() => events().on('job.strange' as 'sweep', () => undefined)).toThrow('OPTION_INVALID')
  })
})
