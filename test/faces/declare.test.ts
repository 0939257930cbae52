// What may be said of a queue, and the layer that is stored of it.
import { describe, expect, it } from 'vitest'
import { declarationOf, overridesOf } from '../../src/job/declare.js'
import { DEFAULT_SETTINGS, NEVER_SAID, effective } from '../../src/job/effective.js'
import { settingsView } from '../../src/queue/settings-view.js'

const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return String(error).toLowerCase()
  }
  return 'taken'
}

describe('a declaration', () => {
  it('stores only what was said', () => {
    expect(declarationOf('q', {}).layer).toEqual({})
    expect(declarationOf('q', { attempts: undefined, limits: { age: '1h' } }).layer).toEqual({
      limits: { age: 3_600_000 },
    })
  })

  it('keeps functions and schemas out of the store', () => {
    const backoff = () => 5
    const input = { '~standard': { version: 1, vendor: 'x', validate: () => ({ value: 1 }) } }
    const said = declarationOf('q', { backoff, input })
    expect(said).toMatchObject({ layer: { backoff: { type: 'custom' } }, backoff, input })
    expect(JSON.stringify(said.layer)).toBe('{"backoff":{"type":"custom"}}')
  })

  it('reads spans, counts and "none" in each way of writing them', () => {
    const { layer } = declarationOf('q', {
      timeout: false,
      deadLetter: false,
      keep: { completed: { count: 5 }, cancelled: 0, discarded: { count: 2, for: '1d' } },
      limits: { backlog: Infinity },
    })
    expect(layer).toEqual({
      timeout: Infinity,
      deadLetter: null,
      keep: {
        completed: { count: 5, for: Infinity },
        cancelled: { count: 0, for: 0 },
        discarded: { count: 2, for: 86_400_000 },
      },
      limits: { backlog: Infinity },
    })
  })

  it('reads order, caps, rates and shares', () => {
    const { layer } = declarationOf('q', {
      order: 'blocking',
      concurrency: 5,
      rate: { count: 1000, per: '6s', key: 'smtp' },
      groups: { concurrency: Infinity, rate: false, weights: { default: 1, 'customer-7': 2.5 } },
    })
    expect(layer).toEqual({
      order: 'blocking',
      concurrency: 5,
      rate: { count: 1000, per: 6000, key: 'smtp' },
      groups: { concurrency: Infinity, rate: null, weights: { default: 1, 'customer-7': 2.5 } },
    })
    expect(declarationOf('q', { rate: { count: 1, per: '1h' } }).layer.rate?.key).toBeNull()
    expect(declarationOf('q', { rate: false }).layer.rate).toBeNull()
  })

  it.each([
    [{ atempts: 3 }, "did you mean 'attempts'"],
    [{ attempts: '3' }, 'a whole number'],
    [{ order: 'lifo' }, "'fifo' or 'blocking'"],
    [{ concurrency: 0 }, 'a whole number of at least 1'],
    [{ concurrency: 2.5 }, 'concurrency'],
    [{ rate: { count: 0, per: '1s' } }, 'rate.count'],
    [{ rate: { count: 1 } }, 'rate.per'],
    [{ rate: { count: 1, per: 5 } }, 'a span of at least 10ms'],
    [{ rate: { count: 1, per: Infinity } }, 'rate.per'],
    [{ rate: { count: 1, per: '1s', key: '' } }, 'rate.key'],
    [{ rate: { count: 1, per: '1s', burst: 2 } }, 'rate.burst'],
    [{ rate: true }, '{ count, per, key? }, or false'],
    [{ groups: { concurrency: -1 } }, 'groups.concurrency'],
    [{ groups: { rate: { count: 1, per: '1s', key: 'k' } } }, 'groups.rate.key'],
    [{ groups: { weight: { a: 2 } } }, "did you mean 'weights'"],
    [{ groups: { weights: { a: 0 } } }, 'groups.weights["a"]'],
    [{ groups: { weights: { a: Infinity } } }, 'a share from 0.001 to 1000000'],
    [{ deadLetter: 'q' }, 'another queue'],
    [{ limits: { backlogg: 1 } }, "did you mean 'backlog'"],
    [{ limits: { payloadBytes: -1 } }, 'limits.payloadBytes'],
    [{ keep: { completed: { count: -1 } } }, 'keep.completed.count'],
    [{ keep: { completed: 'ever' } }, 'keep.completed'],
    [{ receipts: Infinity }, 'receipts'],
    [{ backoff: { type: 'fixd' } }, 'backoff'],
    [{ input: {} }, 'a Standard Schema'],
    [{ delivery: 'once' }, "'at-least-once' or 'at-most-once'"],
    [null, 'an object of options'],
  ])('refuses %o, naming the option', (options, message) => {
    expect(refusal(() => declarationOf('q', options))).toContain(message.toLowerCase())
  })
})

describe('an override', () => {
  it('takes a word back by null and refuses functions', () => {
    expect(overridesOf('q', { attempts: null, timeout: '1s', deadLetter: false })).toEqual({
      say: { timeout: 1000, deadLetter: null },
      takeBack: ['attempts'],
    })
    expect(refusal(() => overridesOf('q', { backoff: () => 1 }))).toContain('plain data')
    expect(overridesOf('q', { concurrency: null, rate: null, order: 'fifo' })).toEqual({
      say: { order: 'fifo' },
      takeBack: ['concurrency', 'rate'],
    })
  })
})

describe('the settings in force', () => {
  it('are the defaults until something is said', () => {
    expect(effective(NEVER_SAID)).toEqual(DEFAULT_SETTINGS)
  })

  it('lay the operator over the declaration, nested records field by field', () => {
    const declared = { attempts: 5, limits: { backlog: 10, age: 1000 } }
    const overrides = { attempts: 7, limits: { backlog: 20 } }
    const settings = effective({ revision: 1, declared, overrides })
    expect(settings).toMatchObject({ attempts: 7, limits: { backlog: 20, age: 1000 } })
    expect(settings.limits.payloadBytes).toBe(1_048_576)
  })

  it('run a job once where delivery is at most once, whatever attempts says', () => {
    const declared = { delivery: 'at-most-once', attempts: 9 } as const
    expect(effective({ revision: 1, declared, overrides: {} }).attempts).toBe(1)
  })

  it('are shown in the words of the options, so that they may be declared again', () => {
    const said = {
      attempts: 3,
      timeout: false as const,
      deadLetter: 'dead',
      keep: { completed: { count: 5 }, cancelled: 0, discarded: 1000 },
      order: 'blocking' as const,
      concurrency: 4,
      rate: { count: 3, per: 1000 },
      groups: { rate: false as const, weights: { a: 2 } },
    }
    const { layer } = declarationOf('q', said)
    const view = settingsView({ revision: 4, declared: layer, overrides: {} })
    expect(view.declared).toEqual(said)
    expect(declarationOf('q', view.effective).layer).toMatchObject(layer)
  })
})
