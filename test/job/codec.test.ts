import vm from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../src/job/codec.js'
import type { Encoded } from '../../src/job/codec.js'
import { MillraceError } from '../../src/job/errors.js'
import { inspect, isDeepStrictEqual } from 'node:util'

const trip = (value: unknown) => decode(encode(value, 'payload'))
const rich = (json: unknown): Encoded => ({ text: JSON.stringify(json), codec: 'rich' })
const refused = (value: unknown): MillraceError => {
  try {
    encode(value, 'payload')
  } catch (error) {
    if (MillraceError.is(error, 'PAYLOAD_INVALID')) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('the codec', () => {
  it('writes plain JSON as plain JSON', () => {
    const value = { to: 'ada', n: [1, 2.5, -3], deep: { yes: true, no: null }, '': 'empty key' }
    expect(encode(value, 'payload')).toEqual({ text: JSON.stringify(value), codec: 'json' })
    expect(trip(value)).toEqual(value)
  })

  it('keeps what JSON cannot say', () => {
    const value = {
      when: new Date(0),
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([undefined, null, NaN])]]),
      same: new Map<unknown, unknown>([[1n, 'a'], ['1', 'b'], [1, 'c']]), // prettier-ignore
      big: -12345678901234567890n,
      none: undefined,
      numbers: [NaN, Infinity, -Infinity, -0, undefined],
      bytes: Buffer.from([0, 255]),
      buffer: new Uint8Array([1, 2]).buffer,
    }
    expect(isDeepStrictEqual(trip(value), value)).toBe(true)
    expect(Buffer.isBuffer((trip(value) as typeof value).bytes)).toBe(true)
  })

  it('keeps an invalid date', () => {
    expect(Number.isNaN((trip([new Date(NaN)]) as [Date])[0].getTime())).toBe(true)
  })

  it('keeps undefined, NaN and the like at the top', () => {
    for (const value of [undefined, NaN, -0, 1n, new Date(5)]) {
      expect(isDeepStrictEqual(trip(value), value)).toBe(true)
    }
  })

  it('keeps every typed array, also a view into a larger buffer', () => {
    const bytes = Uint8Array.from({ length: 40 }, (_, i) => i * 7)
    const arrays = [
      ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array],
      ...[Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
    ].map((array) => new array(bytes.buffer, 8, 2))
    for (const array of arrays) {
      expect(Object.is(trip(array), array)).toBe(false)
      expect(isDeepStrictEqual(trip(array), array), array.constructor.name).toBe(true)
    }
  })

  it('keeps lone surrogates and every other string', () => {
    for (const text of ['\ud800', 'a\udfffb', '\u2028\u0000\u001e', '😀'])
      expect(trip(text)).toBe(text)
  })

  it('keeps ordinary objects that look like marks', () => {
    const value = [{ $date: 'x' }, { $plain: { $map: 1 } }, { $: undefined }, { $a: 1n, $b: 2 }]
    expect(trip(value)).toEqual(value)
    expect(trip({ $date: 1 })).toEqual({ $date: 1 })
  })

  it('takes objects and dates of another realm', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ a: [1, { b: new Date(7) }], m: new Map([[1, 2]]) })',
    )
    expect(trip(foreign)).toEqual({ a: [1, { b: new Date(7) }], m: new Map([[1, 2]]) })
  })

  it('gives back an object without a prototype as an ordinary one', () => {
    const bare = Object.assign(Object.create(null), { a: 1 }) as object
    expect(Object.getPrototypeOf(trip(bare))).toBe(Object.prototype)
    expect(trip(bare)).toEqual({ a: 1 })
  })

  it('writes an object met twice twice', () => {
    const one = { d: new Date(1) }
    expect(trip({ a: one, b: [one, one] })).toEqual({ a: one, b: [one, one] })
  })

  it('comes back deeply equal, whatever the domain holds', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withUnicodeString: true,
      maxDepth: 5,
      key: fc.oneof(
        fc.string(),
        fc.constantFrom('__proto__', 'constructor', 'then', 'toJSON', '$date', '$'),
      ),
    } as fc.ObjectConstraints)
    fc.assert(
      fc.property(value, (given) => {
        // To Node's equality an invalid date is unequal to itself; it has a test of its own.
        fc.pre(!inspect(given, { depth: Infinity }).includes('Invalid Date'))
        expect(isDeepStrictEqual(trip(given), given)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the codec refuses with the path', () => {
  class User {
    name = 'ada'
  }
  const cycle: Record<string, unknown> = { a: { b: [] } }
  ;(cycle.a as { b: unknown[] }).b.push(cycle)
  const holes = [1, 2, 3]
  Reflect.deleteProperty(holes, 1)
  const cases: readonly [string, unknown, string][] = [
    ['a class instance', { user: new User() }, 'payload.user'],
    ['a function', { user: { send: () => 1 } }, 'payload.user.send'],
    ['a method called toJSON', { toJSON: () => 1 }, 'payload.toJSON'],
    ['a symbol', [1, Symbol('x')], 'payload[1]'],
    ['a symbol as key', { a: { [Symbol('x')]: 1 } }, 'payload.a'],
    ['a cycle', cycle, 'payload.a.b[0]'],
    ['a hole', { list: holes }, 'payload.list'],
    ['an array with more than elements', { m: 'ab'.match(/a/) }, 'payload.m'],
    ['an accessor', { a: { get now() { return 1 } } }, 'payload.a.now'], // prettier-ignore
    ['an error', { e: new Error('x') }, 'payload.e'],
    ['a RegExp', { r: /x/ }, 'payload.r'],
    ['a URL', { u: new URL('http://x') }, 'payload.u'],
    ['a promise', { p: Promise.resolve(1) }, 'payload.p'],
    ['a boxed number', { n: Object(1) as unknown }, 'payload.n'],
    ['a subclass of Map', { m: new (class M extends Map {})() }, 'payload.m'],
    ['a subclass of Array', { m: new (class A extends Array {})() }, 'payload.m'],
    ['a date with more', { d: Object.assign(new Date(), { zone: 'x' }) }, 'payload.d'],
    ['shared memory', { s: new SharedArrayBuffer(1) }, 'payload.s'],
    ['a DataView', { s: new DataView(new ArrayBuffer(1)) }, 'payload.s'],
    ['a WeakMap', { s: new WeakMap() }, 'payload.s'],
    ['a thing in a map', new Map([['k', new User()]]), 'payload.values()[0]'],
    ['a key in a map', new Map([[new User(), 1]]), 'payload.keys()[0]'],
    ['a thing in a set', { tags: new Set([1, new User()]) }, 'payload.tags.values()[1]'],
    [
      'a thing under a strange key',
      { 'a b': { __proto__: null, x: new User() } },
      'payload["a b"].x',
    ],
  ]
  it.each(cases)('%s', (_, value, path) => {
    expect(refused(value).subject).toBe(path)
  })

  it('too many levels, without running out of stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(refused(deep).expected).toContain('500 levels')
  })

  it('nothing that it did not refuse', () => {
    let deep: unknown = new Date(1)
    for (let i = 0; i < 166; i++) deep = new Map([[1, { a: [deep] }]])
    expect(isDeepStrictEqual(trip(deep), deep)).toBe(true)
  })

  it('an object that blows up when every way to it is walked', () => {
    let wide: unknown = 'x'
    for (let i = 0; i < 40; i++) wide = [wide, wide]
    expect(() => encode(wide, 'payload')).toThrow(/PAYLOAD_TOO_LARGE/)
  })

  it('without calling what it finds', () => {
    let called = 0
    const touch = () => void called++
    for (const key of ['then', 'toJSON', 'toString', 'valueOf']) {
      expect(() => encode({ [key]: touch }, 'payload')).toThrow(/PAYLOAD_INVALID/)
      expect(() => encode({ d: 1n, [key]: touch }, 'payload')).toThrow(/PAYLOAD_INVALID/)
    }
    expect(() =>
      encode(Object.defineProperty({}, 'a', { get: touch, enumerable: true }), 'p'),
    ).toThrow()
    expect(called).toBe(0)
  })
})

describe('hostile text', () => {
  const untouched = () => {
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  }

  it('cannot reach a prototype', () => {
    const texts = [
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '{"a":{"__proto__":{"$map":[["polluted",1]]}}}',
      '{"$plain":{"__proto__":{"polluted":{"$undefined":true}}}}',
      '{"json":{"a":1},"meta":{"values":{"__proto__.polluted":["Date"]}}}',
    ]
    for (const text of texts) {
      for (const codec of ['json', 'rich'] as const) {
        const value = decode({ text, codec })
        expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
        untouched()
      }
    }
    const own = decode({ text: '{"__proto__":{"$date":null}}', codec: 'rich' }) as object
    expect(Object.getOwnPropertyDescriptor(own, '__proto__')?.value).toBeInstanceOf(Date)
  })

  it.each([
    [{ $class: 'User' }],
    [{ $date: 'no' }],
    [{ $date: 5 }],
    [{ $bigint: '0x10' }],
    [{ $bigint: 1 }],
    [{ $bigint: '9'.repeat(100_001) }],
    [{ $number: '1' }],
    [{ $number: { toString: 1 } }],
    [{ $map: [[1]] }],
    [{ $map: [{ $map: [] }] }],
    [{ $map: { length: 1 } }],
    [{ $set: 'abc' }],
    [{ $bytes: ['Float64Array', 'AAA='] }],
    [{ $bytes: ['Function', 'AAA='] }],
    [{ $bytes: ['__proto__', ''] }],
    [{ $bytes: 'AAA=' }],
    [{ $plain: [] }],
    [{ $plain: 1 }],
  ])('%j is refused', (json) => {
    expect(() => decode(rich(json))).toThrow(/PAYLOAD_INVALID/)
  })

  it('that is damaged, or too deep, is refused with a code', () => {
    expect(() => decode({ text: '{"a":', codec: 'json' })).toThrow(/PAYLOAD_INVALID/)
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(() => decode({ text: deep, codec: 'rich' })).toThrow(/PAYLOAD_INVALID/)
    expect(() => decode({ text: '1', codec: 'yaml' as 'json' })).toThrow(/FORMAT_UNSUPPORTED/)
  })

  it('of any kind either reads as data or is refused, and touches nothing', () => {
    const names = [
      '$date',
      '$map',
      '$set',
      '$bytes',
      '$plain',
      '$number',
      '$x',
      '__proto__',
      'constructor',
    ]
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue(),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc
          .tuple(fc.constantFrom(...names), tie('tree'))
          .map(([k, v]) => Object.fromEntries([[k, v]]) as object),
      ),
    }))
    fc.assert(
      fc.property(tree, (json) => {
        try {
          decode(rich(json))
        } catch (error) {
          expect(MillraceError.is(error, 'PAYLOAD_INVALID')).toBe(true)
        }
        untouched()
      }),
      { numRuns: 2000 },
    )
  })
})
