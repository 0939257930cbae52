/**
 * Law 15: a payload comes back as it went in, byte for byte, and so do results, meta, names and
 * errors, whatever is in them. The store never looks inside; encoding is the codec's.
 */
import assert from 'node:assert/strict'
import type { Encoded } from '../../job/codec.js'
import { json, retryIn, unique } from './build.js'
import type { Group, Laws } from './law.js'

/** Texts that were the end of somebody's parser. */
const TEXTS: Readonly<Record<string, string>> = {
  'the empty object': '{}',
  null: 'null',
  'the empty string': '""',
  'many scripts': JSON.stringify('žluťoučký कुत्ता 犬 🐕‍🦺 \u{10ffff}'),
  'line separators that JSON lets stand': '"a\u2028b\u2029c\u0085d"',
  'control characters, escaped': JSON.stringify('\u0000\u0001\b\t\n\r\u001f\u007f'),
  'halves of a pair, escaped': String.raw`{"lone":"\ud83d","low":"\udc36"}`,
  'escapes that need not be': String.raw`"\u0041\/\u00e9"`,
  'space and order as given': '{ "b" : 1,\t"a":2,"10":0,"9":0 }',
  'the same key twice': '{"a":1,"a":2}',
  'numbers as spelled': '[1.0, 1e3, -0, 12345678901234567890, 0.1000000000000000055]',
  'quotes, backslashes and what SQL and shells mind': JSON.stringify(`'";-- $1 %s \\ \` {{x}} ?`),
  'a prototype in disguise': '{"__proto__":{"a":1},"constructor":null}',
  'a byte-order mark': '"\ufeffx"',
}

/** Names that fold, trim, escape or sort alike in some system or other. */
const NAMES = ['q', 'Q', ' q', 'q ', 'q/1', '../q', 'q\\1', 'q%2F1', 'ﬀ', 'ff', 'é', 'e\u0301']
const MORE_NAMES = [
  'q\u0000',
  'q\u0000a',
  'q\u0000b',
  'q\u0001a',
  'q\u0001',
  'q:1',
  'q*',
  'q.',
  'con',
  "q'",
  'q"',
  'q\n1',
  '{q}',
  '犬',
  '🐕',
  'q\u200b',
]

const laws: Laws = {
  'a payload comes back byte for byte: in views, at claim, after a retry': async (rig) => {
    const node = await rig.node()
    for (const [what, text] of Object.entries(TEXTS)) {
      const payload: Encoded = { text, codec: 'json' }
      const ref = await rig.put({ payload })
      assert.deepEqual((await rig.view(ref)).payload, payload, what)
      const held = await node.take()
      assert.deepEqual(held.payload, payload, what)
      await node.settle(held, retryIn(0))
      const again = await node.take()
      assert.deepEqual(again.payload, payload, what)
      await node.settle(again, { kind: 'complete', result: null })
    }
  },

  'both codecs come back as they were said': async (rig) => {
    const rich: Encoded = {
      text: '{"json":{"at":"2000"},"meta":{"values":{"at":["Date"]}}}',
      codec: 'rich',
    }
    const ref = await rig.put({ payload: rich, meta: rich })
    const job = await rig.view(ref)
    assert.deepEqual([job.payload, job.meta], [rich, rich])
    const held = await (await rig.node()).take()
    assert.deepEqual([held.payload, held.meta], [rich, rich])
  },

  'a payload of a megabyte comes back whole': async (rig) => {
    const text = JSON.stringify('é'.repeat((1_048_576 - 2) / 2))
    assert.equal(Buffer.byteLength(text), 1_048_576)
    const ref = await rig.put({ payload: { text, codec: 'json' } })
    const held = await (await rig.node()).take()
    assert.equal(held.payload.text === text, true, 'at claim')
    assert.equal((await rig.view(ref)).payload.text === text, true, 'in a view')
  },

  'a result comes back byte for byte': async (rig) => {
    const node = await rig.node()
    for (const [what, text] of Object.entries(TEXTS)) {
      const ref = await rig.put()
      await node.settle(await node.take(), { kind: 'complete', result: { text, codec: 'json' } })
      const found = await rig.found(ref)
      assert.ok(found?.kind === 'receipt', what)
      assert.deepEqual(found.receipt.result, { text, codec: 'json' }, what)
    }
  },

  'an error comes back as it was told': async (rig) => {
    const node = await rig.node()
    const ref = await rig.put()
    const error = { name: 'Bad\u2028Name', message: 'č\n"quoted"\t🐕', stack: 'at a\n    at b' }
    await node.settle(await node.take(), retryIn(0), { outcome: 'failed', error, duration: 1 })
    assert.deepEqual((await rig.view(ref)).history[0].error, error)
  },

  'queue names of any spelling are apart': async (rig) => {
    for (const queue of [...NAMES, ...MORE_NAMES]) await rig.put({ queue, payload: json(queue) })
    for (const queue of [...NAMES, ...MORE_NAMES]) {
      const jobs = await rig.list(queue)
      assert.deepEqual(
        jobs.map((job) => [job.queue, job.payload]),
        [[queue, json(queue)]],
      )
    }
  },

  'ids, groups, tasks and tags of any spelling are apart': async (rig) => {
    const names = [...NAMES, ...MORE_NAMES]
    for (const name of names) {
      await rig.put({ id: name, ownId: true, group: name, task: name, tags: [name] })
    }
    for (const name of names) {
      const job = await rig.view({ queue: 'q', id: name })
      assert.deepEqual([job.id, job.group, job.task, job.tags], [name, name, name, [name]])
      for (const which of [{ group: name }, { task: name }, { tag: name }, { ids: [name] }]) {
        const found = await rig.list('q', which)
        assert.deepEqual(
          found.map((one) => one.id),
          [name],
          JSON.stringify(which),
        )
      }
    }
  },

  'unique keys of any spelling are apart': async (rig) => {
    for (const key of [...NAMES, ...MORE_NAMES, '']) await rig.put({ unique: unique(key) })
  },

  'scopes of any spelling are apart': async (rig) => {
    for (const scope of NAMES) {
      const store = await rig.connect(scope)
      const answer = await rig.insert([rig.job({ id: 'same', payload: json(scope) })], store)
      assert.deepEqual(answer, [{ status: 'inserted', id: 'same' }], JSON.stringify(scope))
    }
  },
}

export const payloads: Group = { title: 'payloads and names', laws }
