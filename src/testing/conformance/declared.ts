/**
 * Settings live in the store: what was declared, an operator's override above it, a revision that
 * grows with every change, and the word in force on every claim's answer. What the words mean is
 * tested where they act.
 */
import assert from 'node:assert/strict'
import type { SettingsLayer } from '../../job/settings.js'
import type { Group, Laws } from './law.js'

const WHOLE: SettingsLayer = {
  attempts: 3,
  backoff: { type: 'linear', step: 5, max: Infinity },
  timeout: Infinity,
  delivery: 'at-most-once',
  order: 'fifo',
  concurrency: Infinity,
  groups: { concurrency: 4, rate: null, weights: { default: 1, 'customer-7': 3, žluť: 2 } },
  rate: { count: 10, per: 1_000, key: 'smtp' },
  deadLetter: 'graveyard',
  limits: { payloadBytes: 1, resultBytes: 2, metaBytes: 3, backlog: Infinity, age: 5 },
  keep: {
    completed: { count: 0, for: 0 },
    cancelled: { count: Infinity, for: 60_000 },
    discarded: { count: 5, for: Infinity },
  },
  receipts: 0,
}

const laws: Laws = {
  'of a queue of which nothing was said there is revision 0 and nothing': async (rig) => {
    assert.deepEqual(await rig.store.settings('never'), {
      revision: 0,
      declared: {},
      overrides: {},
    })
  },

  'what is declared comes back, Infinity and null and all, from everywhere': async (rig) => {
    const stored = await rig.store.declare('q', WHOLE)
    assert.deepEqual(stored, { revision: stored.revision, declared: WHOLE, overrides: {} })
    assert.ok(stored.revision > 0)
    assert.deepEqual(await rig.store.settings('q'), stored)
    assert.deepEqual(await (await rig.connect()).settings('q'), stored)
  },

  'the same declaration again changes nothing; another one does': async (rig) => {
    const first = await rig.store.declare('q', WHOLE)
    assert.deepEqual(await rig.store.declare('q', { ...WHOLE }), first)
    const reordered = Object.fromEntries(Object.entries(WHOLE).reverse()) as SettingsLayer // as: the same entries
    assert.deepEqual(await rig.store.declare('q', reordered), first)
    const second = await rig.store.declare('q', { ...WHOLE, attempts: 4 })
    assert.ok(second.revision > first.revision)
  },

  'a declaration replaces the whole layer: what it omits is default': async (rig) => {
    await rig.store.declare('q', { attempts: 3, limits: { backlog: 5, age: 6 } })
    const stored = await rig.store.declare('q', { limits: { age: 7 } })
    assert.deepEqual(stored.declared, { limits: { age: 7 } })
    const { settings } = await (await rig.node()).claim()
    assert.deepEqual([settings.attempts, settings.limits.backlog], [20, Infinity])
    assert.equal(settings.limits.age, 7)
  },

  'a claim answers the settings in force, defaults for what nobody said': async (rig) => {
    const node = await rig.node()
    const { settings } = await node.claim({ limit: 0 })
    assert.deepEqual(
      [settings.attempts, settings.timeout, settings.receipts],
      [20, 60_000, 600_000],
    )
    assert.deepEqual([settings.delivery, settings.order], ['at-least-once', 'fifo'])
    assert.deepEqual(
      [settings.concurrency, settings.rate, settings.deadLetter],
      [Infinity, null, null],
    )
    assert.deepEqual(settings.backoff, {
      type: 'exponential',
      min: 1_000,
      max: 3_600_000,
      factor: 2,
      jitter: 0.1,
    })
    await rig.store.declare('q', { timeout: 5 })
    assert.equal((await node.claim({ limit: 0 })).settings.timeout, 5)
  },

  'an override stands above the declaration, also above a later one': async (rig) => {
    await rig.store.declare('q', { attempts: 3, timeout: 1 })
    await rig.store.override('q', { say: { attempts: 9 }, takeBack: [] })
    await rig.store.declare('q', { attempts: 4, timeout: 2 })
    const stored = await rig.store.settings('q')
    assert.deepEqual(
      [stored.declared, stored.overrides],
      [{ attempts: 4, timeout: 2 }, { attempts: 9 }],
    )
    const { settings } = await (await rig.node()).claim({ limit: 0 })
    assert.deepEqual([settings.attempts, settings.timeout], [9, 2])
  },

  'overrides are merged word by word, may say none, and are taken back by name': async (rig) => {
    await rig.store.override('q', { say: { attempts: 9, timeout: 7 }, takeBack: [] })
    await rig.store.override('q', { say: { timeout: 8, deadLetter: 'd' }, takeBack: [] })
    const stored = await rig.store.override('q', { say: {}, takeBack: ['attempts'] })
    assert.deepEqual(stored.overrides, { timeout: 8, deadLetter: 'd' })
    const none = await rig.store.override('q', { say: { deadLetter: null }, takeBack: [] })
    assert.deepEqual(none.overrides, { timeout: 8, deadLetter: null })
    assert.deepEqual(
      (await rig.store.override('q', { say: {}, takeBack: ['timeout', 'deadLetter'] })).overrides,
      {},
    )
  },

  'nested words are layered field by field, over defaults and over each other': async (rig) => {
    await rig.store.declare('q', { limits: { backlog: 5 }, groups: { concurrency: 2 } })
    await rig.store.override('q', { say: { limits: { age: 6 } }, takeBack: [] })
    const stored = await rig.store.override('q', {
      say: { limits: { metaBytes: 7 } },
      takeBack: [],
    })
    assert.deepEqual(stored.overrides, { limits: { age: 6, metaBytes: 7 } })
    const { settings } = await (await rig.node()).claim({ limit: 0 })
    const expected = {
      payloadBytes: 1_048_576,
      resultBytes: 1_048_576,
      metaBytes: 7,
      backlog: 5,
      age: 6,
    }
    assert.deepEqual(settings.limits, expected)
    assert.deepEqual(settings.groups, { concurrency: 2, rate: null, weights: {} })
    assert.deepEqual(
      (await rig.store.override('q', { say: {}, takeBack: ['limits'] })).overrides,
      {},
    )
  },

  'every change gets a greater revision; what changes nothing gets none': async (rig) => {
    const revisions: number[] = []
    const note = async (change: Promise<{ readonly revision: number }>) => {
      revisions.push((await change).revision)
    }
    await note(rig.store.declare('q', { attempts: 1 }))
    await note(rig.store.override('q', { say: { attempts: 2 }, takeBack: [] }))
    await note(rig.store.override('q', { say: {}, takeBack: ['attempts'] }))
    await note(rig.store.declare('q', {}))
    assert.deepEqual(
      revisions,
      [...new Set(revisions)].sort((a, b) => a - b),
    )
    const { revision } = await rig.store.settings('q')
    await rig.store.override('q', { say: {}, takeBack: [] })
    await rig.store.override('q', { say: {}, takeBack: ['attempts'] })
    await rig.store.declare('q', {})
    assert.equal((await rig.store.settings('q')).revision, revision)
  },

  'settings belong to their queue': async (rig) => {
    await rig.store.declare('a', { attempts: 1 })
    await rig.store.override('a', { say: { timeout: 2 }, takeBack: [] })
    assert.deepEqual(await rig.store.settings('b'), { revision: 0, declared: {}, overrides: {} })
  },

  'settings outlive their jobs': async (rig) => {
    await rig.store.declare('q', { attempts: 5 })
    await rig.put()
    await rig.control({ kind: 'delete', queue: 'q', which: {} })
    await rig.clock.advance(30 * 24 * 3_600_000)
    await (await rig.node()).sweepAll()
    assert.deepEqual((await rig.store.settings('q')).declared, { attempts: 5 })
  },

  'a queue with a cap, a rate, blocking order or at-most-once delivery is frugal': async (rig) => {
    const node = await rig.node()
    const gated: SettingsLayer[] = [
      { concurrency: 5 },
      { groups: { concurrency: 1 } },
      { rate: { count: 1, per: 1_000, key: null } },
      { groups: { rate: { count: 1, per: 1_000 } } },
      { order: 'blocking' },
      { delivery: 'at-most-once' },
    ]
    for (const layer of gated) {
      await rig.store.declare('q', layer)
      assert.equal((await node.claim({ limit: 0 })).frugal, true, JSON.stringify(layer))
    }
    await rig.store.declare('q', { attempts: 2, groups: { weights: { a: 2 } } })
    assert.equal((await node.claim({ limit: 0 })).frugal, false)
  },
}

export const declared: Group = { title: 'settings', laws }
