// The codec of frames: what is written comes back, what was damaged never does, and whoever reads
// sees the same, however the bytes reach him. Proves the rules that everything in `file:` leans on.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scan, type Finding, type ScanOptions } from '../../src/stores/file/frame-scan.js'
import {
  BODY_LIMIT,
  encodeFrame,
  HEAD_LIMIT,
  ITEM_LEAD,
  readItem,
  type FrameHead,
} from '../../src/stores/file/frames.js'

const OPEN: ScanOptions = { durable: 0, end: 'open' }
const SEALED: ScanOptions = { durable: 0, end: 'sealed' }

function headOf(number: number, more: Partial<FrameHead> = {}): FrameHead {
  const durable = { segment: 7, offset: 4096 }
  return { kind: 'insert', writer: 'a1B2', number, time: 1.5, durable, guards: '[]', ...more }
}

function frame(number: number, items: readonly string[] = [`{"n":${number}}\t{"p":"x"}`]): Buffer {
  return encodeFrame(headOf(number), items).bytes
}

/** What a reader takes over: the frames with their content, by place. */
function taken(bytes: Uint8Array, findings: readonly Finding[], base = 0): string[] {
  return findings.flatMap((found) => {
    if (found.kind !== 'frame') return []
    const items = found.items.map((item) => textAt(bytes, item.at - base, item.length))
    return [JSON.stringify([found.at, found.length, found.head, items])]
  })
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString('utf8')
}

/** Verdicts leave no gap and do not overlap. */
function expectWhole(findings: readonly Finding[], from: number, next: number): void {
  let at = from
  for (const found of findings) {
    expect(found.at).toBe(at)
    expect(found.length).toBeGreaterThan(0)
    at += found.length
  }
  expect(at).toBe(next)
}

/** Reads as a process does that polls: keeps what is not judged yet, puts the next chunk behind. */
function scanInChunks(bytes: Buffer, cuts: readonly number[], options: ScanOptions): Finding[] {
  const found: Finding[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    const isLast = cut === bytes.length
    const end = options.end === 'sealed' && !isLast ? 'open' : options.end
    const part = scan(bytes.subarray(from, cut), from, { ...options, end })
    found.push(...part.findings)
    from = part.next
  }
  return found
}

/** Neighbouring bytes past the end are reported as they come. */
function merged(findings: readonly Finding[]): Finding[] {
  const result: Finding[] = []
  for (const found of findings) {
    const last = result.at(-1)
    if (last?.kind === 'void' && found.kind === 'void' && found.why === 'ended') {
      if (last.why === 'ended') {
        result[result.length - 1] = { ...last, length: last.length + found.length }
        continue
      }
    }
    result.push(found)
  }
  return result
}

describe('a frame', () => {
  it('comes back as it was written, with the address of every item', () => {
    const items = ['{"id":"1"}\t{"a":1}', '', 'ünï ☃ 𝄞 \u2028', '\t', 'x'.repeat(5000), '>mr1 0']
    const head = headOf(12, {
      kind: 'settle',
      time: 1700000000000.125,
      guards: '{"q:smørrebrød":[3, 4]}',
    })
    const { bytes, items: extents } = encodeFrame(head, items)
    const { findings, next } = scan(bytes, 1000, OPEN)
    expect(findings).toHaveLength(1)
    expect(next).toBe(1000 + bytes.length)
    const [found] = findings
    if (found.kind !== 'frame') throw new Error(found.kind)
    expect(found.head).toEqual(head)
    expect(found.items).toEqual(extents.map(({ at, length }) => ({ at: at + 1000, length })))
    expect(extents.map(({ at, length }) => textAt(bytes, at, length))).toEqual(items)
    for (const [index, { at, length }] of extents.entries()) {
      expect(readItem(bytes.subarray(at - ITEM_LEAD, at + length))).toBe(items[index])
    }
  })

  it('may have no items and no guards', () => {
    const { bytes } = encodeFrame(headOf(0, { kind: 'seal', guards: '' }), [])
    const [found] = scan(bytes, 0, SEALED).findings
    expect(found).toMatchObject({ kind: 'frame', items: [], head: { kind: 'seal', guards: '' } })
  })

  it('is one line of text per item, as grep likes it', () => {
    const text = frame(3, ['{"id":"j1"}', '{"id":"j2"}']).toString('latin1')
    expect(text).toMatch(
      /^\x1emr1 42 [0-9a-f]{8} [0-9a-f]{8} a1B2 3 1\.5 7:4096 insert \[\]\n[0-9a-f]{8} \{"id":"j1"\}\n[0-9a-f]{8} \{"id":"j2"\}\n$/, // eslint-disable-line no-control-regex -- the mark itself
    )
  })

  it('refuses what it could not read back', () => {
    const refused: readonly [Partial<FrameHead>, readonly string[], string][] = [
      [{}, ['a\nb'], 'PAYLOAD_INVALID'],
      [{}, ['ok', 'a\x1eb'], 'PAYLOAD_INVALID'],
      [{ guards: 'a\nb' }, [], 'PAYLOAD_INVALID'],
      [{ guards: '\x1e' }, [], 'PAYLOAD_INVALID'],
      [{ kind: 'two words' }, [], 'OPTION_INVALID'],
      [{ writer: '' }, [], 'OPTION_INVALID'],
      [{ number: -1 }, [], 'OPTION_INVALID'],
      [{ time: Number.NaN }, [], 'OPTION_INVALID'],
      [{ durable: { segment: 0.5, offset: 0 } }, [], 'OPTION_INVALID'],
      [{ durable: { segment: 0, offset: 2 ** 53 } }, [], 'OPTION_INVALID'],
      [{}, ['x'.repeat(BODY_LIMIT)], 'LOT_TOO_LARGE'],
      [{ guards: 'x'.repeat(HEAD_LIMIT) }, [], 'LOT_TOO_LARGE'],
    ]
    for (const [head, items, code] of refused) {
      expect(() => encodeFrame(headOf(1, head), items)).toThrow(expect.objectContaining({ code }))
    }
  })

  it('carries 32 MiB, and a head that declares more is void', () => {
    const text = 'x'.repeat(BODY_LIMIT - ITEM_LEAD - 1)
    const { bytes } = encodeFrame(headOf(1), [text])
    expect(scan(bytes, 0, OPEN).findings[0].kind).toBe('frame')
    const larger = Buffer.from(bytes.toString('latin1').replace(/^.mr1 \d+/s, '\x1emr1 33554433'))
    const log = Buffer.concat([larger, frame(2)])
    expect(scan(log, 0, OPEN).findings.map(({ kind }) => kind)).toEqual(['void', 'frame'])
  })

  it('is read back by address only as it was written', () => {
    const { bytes, items } = encodeFrame(headOf(1), ['{"p":1}'])
    const line = bytes.subarray(items[0].at - ITEM_LEAD, items[0].at + items[0].length)
    for (let bit = 0; bit < line.length * 8; bit++) {
      expect(readItem(flipped(line, bit))).toBeNull()
    }
    for (let cut = 0; cut < line.length; cut++) expect(readItem(line.subarray(0, cut))).toBeNull()
  })
})

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] ^= 1 << (bit & 7)
  return copy
}

describe('a log cut off at any byte', () => {
  const log = Buffer.concat([frame(1), frame(2, []), frame(3, ['{"é":1}', '{}']), frame(4)])
  const whole = taken(log, scan(log, 0, OPEN).findings)

  it('gives the frames before the cut and waits for the rest', () => {
    for (let cut = 0; cut <= log.length; cut++) {
      const { findings, next } = scan(log.subarray(0, cut), 0, OPEN)
      const good = taken(log, findings)
      expect(good).toEqual(whole.slice(0, good.length))
      expect(findings).toHaveLength(good.length)
      const rest = scan(log.subarray(next), next, OPEN)
      expect([...good, ...taken(log.subarray(next), rest.findings, next)]).toEqual(whole)
    }
  })

  it('is void behind the last whole frame once it is sealed there', () => {
    for (const end of ['sealed', 'number'] as const) {
      for (let cut = 0; cut <= log.length; cut++) {
        const bytes = end === 'sealed' ? log.subarray(0, cut) : log
        const { findings, next } = scan(bytes, 0, { durable: 0, end: end === 'sealed' ? end : cut })
        expectWhole(findings, 0, bytes.length)
        expect(next).toBe(bytes.length)
        const good = taken(log, findings)
        expect(good).toEqual(taken(log, scan(log.subarray(0, cut), 0, OPEN).findings))
        expect(findings.filter(({ kind }) => kind === 'rot')).toEqual([])
      }
    }
  })
})

describe('a log with any one bit flipped', () => {
  const frames = [
    frame(1),
    frame(2, ['{"a":"N^>"}', '{"b":"é"}', '{"c":3}']),
    frame(3, []),
    frame(4),
  ]
  const log = Buffer.concat(frames)
  const starts = frames.map((_, index) => Buffer.concat(frames.slice(0, index)).length)
  const whole = taken(log, scan(log, 0, SEALED).findings)

  it.each([
    ['not asserted durable', 0],
    ['asserted durable', log.length],
  ])('loses that frame and no other, %s', (_, durable) => {
    for (let bit = 0; bit < log.length * 8; bit++) {
      const damaged = flipped(log, bit)
      const hit = starts.findLastIndex((start) => start <= bit >> 3)
      const { findings } = scan(damaged, 0, { durable, end: 'sealed' })
      expectWhole(findings, 0, log.length)
      expect(taken(damaged, findings)).toEqual(whole.filter((_, index) => index !== hit))
      const others = new Set(findings.map(({ kind }) => kind).filter((kind) => kind !== 'frame'))
      expect([...others]).toEqual([durable === 0 ? 'void' : 'rot'])
    }
  })

  it('gives up only the damaged line where the head is good', () => {
    const start = starts[1] + frames[1].indexOf('\n') + 1
    for (let bit = start * 8; bit < starts[2] * 8; bit++) {
      const damaged = flipped(log, bit)
      const [rot] = scan(damaged, 0, { durable: log.length, end: 'open' }).findings.slice(1)
      if (rot.kind !== 'rot') throw new Error(`${rot.kind} at bit ${bit}`)
      expect(rot.head).toEqual(headOf(2))
      const isLineEnd = log[bit >> 3] === 0x0a
      expect(rot.good.length).toBeGreaterThanOrEqual(isLineEnd ? 1 : 2)
      for (const { at, length } of rot.good) {
        expect(['{"a":"N^>"}', '{"b":"é"}', '{"c":3}']).toContain(textAt(damaged, at, length))
      }
    }
  })

  it('waits with rot in the last frame until it sees where the next begins', () => {
    const damaged = flipped(frames[0], (frames[0].length - 3) * 8)
    const options = { durable: damaged.length, end: 'open' } as const
    expect(scan(damaged, 0, options)).toEqual({ findings: [], next: 0 })
    const followed = Buffer.concat([damaged, frame(2)])
    expect(scan(followed, 0, options).findings.map(({ kind }) => kind)).toEqual(['rot', 'frame'])
  })
})

describe('a short write', () => {
  const items = ['{"a":1}', '{"b":"ü"}', '{"c":3}']
  const full = frame(1, items)
  const behind = [frame(2), frame(3, []), Buffer.concat([frame(4), frame(5)])]

  it('of every length is void up to the frame behind it, durable or not', () => {
    for (const next of behind) {
      for (let cut = 1; cut < full.length; cut++) {
        const log = Buffer.concat([full.subarray(0, cut), next])
        for (const durable of [0, cut, log.length]) {
          const { findings } = scan(log, 0, { durable, end: 'open' })
          expect(findings[0]).toEqual({ kind: 'void', at: 0, length: cut, why: 'short' })
          expect(taken(log, findings)).toEqual(taken(log, scan(next, cut, OPEN).findings, 0))
        }
      }
    }
  })

  it('is never completed by what is appended later, not even by its own rest', () => {
    for (let cut = 1; cut < full.length; cut++) {
      const log = Buffer.concat([full.subarray(0, cut), frame(2), full.subarray(cut), frame(3)])
      for (const durable of [0, log.length]) {
        const { findings } = scan(log, 0, { durable, end: 'sealed' })
        expectWhole(findings, 0, log.length)
        const numbers = findings.flatMap((f) => (f.kind === 'frame' ? [f.head.number] : []))
        expect(numbers).toEqual([2, 3])
        const applied = findings.flatMap((f) => (f.kind === 'rot' && f.head !== null ? [f] : []))
        expect(applied).toEqual([])
      }
    }
  })

  it('behind another short write is void too, and nothing of either is salvaged', () => {
    const other = frame(2, ['{"d":4}', '{"e":5}'])
    for (let first = 1; first < full.length; first++) {
      for (let second = 1; second < other.length; second++) {
        const torn = [full.subarray(0, first), other.subarray(0, second)]
        const log = Buffer.concat([...torn, frame(3)])
        const { findings } = scan(log, 0, { durable: log.length, end: 'open' })
        expect(findings.map(({ kind, length }) => [kind, length])).toEqual([
          ['void', first],
          ['void', second],
          ['frame', frame(3).length],
        ])
      }
    }
  })

  it('whose follower lost its mark is not taken for a whole frame', () => {
    for (let cut = 1; cut < full.length; cut++) {
      const next = frame(2, ['{"z":26}', '{"y":25}'])
      next[0] ^= 0x40
      const log = Buffer.concat([full.subarray(0, cut), next, frame(3)])
      const { findings } = scan(log, 0, { durable: log.length, end: 'open' })
      expect(taken(log, findings)).toHaveLength(1)
      for (const found of findings) {
        if (found.kind === 'rot' && found.head !== null) expect(found.head.number).toBe(2)
      }
    }
  })
})

describe('holes and garbage', () => {
  it('are void up to the next mark', () => {
    for (const size of [1, 3, 512, 5000]) {
      for (const fill of [0, 0x0a, 0x1d, 0x31, 0xff]) {
        const log = Buffer.concat([frame(1), Buffer.alloc(size, fill), frame(2)])
        const { findings } = scan(log, 0, OPEN)
        expect(findings.map(({ kind }) => kind)).toEqual(['frame', 'void', 'frame'])
        expect(findings[1]).toMatchObject({ why: 'unmarked', length: size })
      }
    }
  })

  it('within a frame void that frame, for every hole', () => {
    const middle = frame(2, ['{"a":1}', '{"b":2}'])
    for (let from = 0; from < middle.length; from++) {
      for (let to = from + 1; to <= middle.length; to++) {
        const holed = Buffer.from(middle).fill(0, from, to)
        const log = Buffer.concat([frame(1), holed, frame(3)])
        const { findings } = scan(log, 0, SEALED)
        const numbers = findings.flatMap((f) => (f.kind === 'frame' ? [f.head.number] : []))
        expect(numbers).toEqual([1, 3])
      }
    }
  })

  it('that begin within what was durable and reach beyond it are no rot of a good head', () => {
    const head = frame(1).indexOf('\n')
    const holed = Buffer.from(frame(1)).fill(0, 20, head)
    const log = Buffer.concat([holed, frame(2)])
    for (const [durable, kind] of [
      [20, 'void'],
      [head, 'void'],
      [head + 1, 'rot'],
    ] as const) {
      expect(scan(log, 0, { durable, end: 'open' }).findings[0].kind).toBe(kind)
    }
  })

  it('at the end of a growing log are waited upon', () => {
    const log = Buffer.concat([frame(1), Buffer.alloc(100)])
    expect(scan(log, 0, OPEN).next).toBe(frame(1).length)
    expect(scan(log, 0, SEALED).next).toBe(log.length)
  })
})

describe('any mixture of good, torn, damaged and foreign bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => JSON.stringify(value))
  const whole = fc
    .record({ number: fc.nat(99), items: fc.array(text, { maxLength: 4 }) })
    .map(({ number, items }) => frame(number, items))
  const piece = fc.oneof(
    { weight: 4, arbitrary: whole },
    {
      weight: 2,
      arbitrary: fc.tuple(whole, fc.nat()).map(([f, cut]) => f.subarray(0, cut % f.length)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(whole, fc.nat()).map(([f, at]) => flipped(f, at % (f.length * 8))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((raw) => Buffer.from(raw)) },
    { weight: 1, arbitrary: fc.nat(40).map((size) => Buffer.alloc(size)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('\x1e', '\x1em', '\x1emr1 ', '\n').map((s) => Buffer.from(s)),
    },
  )
  const mixture = fc.array(piece, { maxLength: 8 }).map((parts) => Buffer.concat(parts))
  const placed = fc.record({
    bytes: mixture,
    durable: fc.oneof(fc.constant(0), fc.nat(2000)),
    end: fc.oneof(fc.constantFrom('open' as const, 'sealed' as const), fc.nat(2000)),
  })
  const runs = { numRuns: 3000 }

  it('gives the same verdict in any chunks', () => {
    fc.assert(
      fc.property(placed, fc.array(fc.nat(), { maxLength: 12 }), ({ bytes, ...options }, raw) => {
        const cuts = raw.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)
        const inChunks = merged(scanInChunks(bytes, cuts, options))
        expect(inChunks).toEqual(merged(scan(bytes, 0, options).findings))
      }),
      runs,
    )
  })

  it('is judged for ever: more bytes only turn "wait" into a verdict', () => {
    fc.assert(
      fc.property(placed, fc.nat(), ({ bytes, durable, end }, raw) => {
        const options = { durable, end: end === 'sealed' ? 'open' : end } as const
        const cut = raw % (bytes.length + 1)
        const before = scan(bytes.subarray(0, cut), 0, options)
        const after = scan(bytes, 0, options)
        expectWhole(before.findings, 0, before.next)
        expectWhole(after.findings, 0, after.next)
        const known = before.findings.filter((f) => f.kind !== 'void' || f.why !== 'ended')
        expect(after.findings.slice(0, known.length)).toEqual(known)
      }),
      runs,
    )
  })

  it('yields only frames that were written, and all that are whole behind a whole neighbour', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), whole), { maxLength: 8 }), (parts) => {
        // Every second kind of piece is cut in half: what is whole must come back, all of it.
        const pieces = parts.map(([isWhole, f]) => (isWhole ? f : f.subarray(0, f.length >> 1)))
        const log = Buffer.concat(pieces)
        const found = scan(log, 0, SEALED).findings.filter(({ kind }) => kind === 'frame')
        const bytes = found.map(({ at, length }) => log.subarray(at, at + length).toString('hex'))
        const written = parts.flatMap(([isWhole, f]) => (isWhole ? [f.toString('hex')] : []))
        expect(bytes).toEqual(written)
      }),
      runs,
    )
  })

  it('is void past a declared end, whole frames included', () => {
    const log = Buffer.concat([frame(1), frame(2), frame(3)])
    const end = frame(1).length
    const { findings } = scan(log, 0, { durable: 0, end })
    expect(findings.map(({ kind, length }) => [kind, length])).toEqual([
      ['frame', end],
      ['void', log.length - end],
    ])
    const beyond = scan(log.subarray(end), end, { durable: 0, end: 10 })
    expect(beyond.findings).toEqual([
      { kind: 'void', why: 'ended', at: end, length: log.length - end },
    ])
  })
})

describe('speed, told and never judged', () => {
  it('of 100 items of 150 bytes', () => {
    const items = Array.from({ length: 100 }, (_, n) => `{"id":"${n}"}\t${'x'.repeat(138)}`)
    const rounds = 2000
    let bytes = frame(0)
    const begun = process.hrtime.bigint()
    for (let round = 0; round < rounds; round++) bytes = encodeFrame(headOf(round), items).bytes
    const encoded = process.hrtime.bigint()
    for (let round = 0; round < rounds; round++) scan(bytes, 0, OPEN)
    const scanned = process.hrtime.bigint()
    const micros = (from: bigint, to: bigint) => (Number(to - from) / 1000 / rounds).toFixed(1)
    console.info(`encode ${micros(begun, encoded)} µs, scan ${micros(encoded, scanned)} µs a frame`)
    expect(scan(bytes, 0, OPEN).next).toBe(bytes.length)
  })
})
