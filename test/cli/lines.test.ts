import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonLines } from '../../src/cli/lines.js'
import type { ReadLine } from '../../src/copy/export-lines.js'
import { chunks } from './fake-terminal.js'

async function read(input: string | readonly Uint8Array[], longest?: number): Promise<ReadLine[]> {
  const lines: ReadLine[] = []
  for await (const line of jsonLines(chunks(input), longest)) lines.push(line)
  return lines
}

const values = (lines: readonly ReadLine[]): unknown[] =>
  lines.flatMap((line) => (line.kind === 'value' ? [line.value] : []))

describe('lines of JSON', () => {
  it('are one value each, the last also without a newline', async () => {
    expect(values(await read('{"a":1}\n"b"\n3'))).toEqual([{ a: 1 }, 'b', 3])
  })

  it('count from 1, blank ones included and carriage returns passed over', async () => {
    const lines = await read('1\r\n\r\n   \n2\r\n')
    expect(lines.map(({ number }) => number)).toEqual([1, 4])
  })

  it('that are bad are told by their number and disturb no other', async () => {
    const lines = await read([Buffer.from('1\n{no\n'), Buffer.from([0xff, 10]), Buffer.from('4')])
    expect(lines.map(({ kind }) => kind)).toEqual(['value', 'bad', 'bad', 'value'])
    expect(lines[1]).toMatchObject({ number: 2, why: expect.stringMatching(/^not JSON/) })
    expect(lines[2]).toMatchObject({ number: 3, why: 'not UTF-8' })
  })

  it('that are too long are not held, and the next is read', async () => {
    const lines = await read(`"${'x'.repeat(50)}"\n2\n`, 10)
    expect(lines).toMatchObject([
      { number: 1, kind: 'bad' },
      { number: 2, value: 2 },
    ])
  })

  it('are the same however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }),
        async (all, sizes) => {
          const bytes = Buffer.from(all.map((value) => JSON.stringify(value)).join('\n'))
          const parts: Uint8Array[] = []
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = sizes[turn % sizes.length]
            parts.push(bytes.subarray(at, at + size))
            at += size
          }
          const expected = all.map((value) => JSON.parse(JSON.stringify(value)) as unknown)
          expect(values(await read(parts))).toEqual(expected)
        },
      ),
    )
  })
})
