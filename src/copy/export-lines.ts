/**
 * What a store keeps, as lines of JSON: a header that says which version they are of, one line for
 * each job and fact, and an end that says how many there were and what they come to, so that a file
 * that was cut short is known. Words that every plain job says are left out.
 */
import { millraceError } from '../job/errors.js'
import { plain, unplain } from '../job/plain.js'
import type { Portable, PortableJob } from '../job/portable.js'
import { PLAIN_JOB, saidOf } from '../job/portable.js'
import { isJob } from './ends.js'
import type { Source } from './ends.js'
import { checkPortable } from './portable-shape.js'
import { Reckoning } from './reckoning.js'

export const EXPORT_VERSION = 1

/** What was written. */
export interface Exported {
  readonly jobs: number
  readonly lines: number
}

/** `at`: wall time, for people. */
export async function exportLines(
  from: Source,
  at: number,
  write: (line: string) => Promise<void>,
  tell: (jobs: number) => void,
): Promise<Exported> {
  const reckoning = new Reckoning()
  let lines = 1
  const made = new Date(at).toISOString()
  await write(
    JSON.stringify({ millrace: 'export', version: EXPORT_VERSION, from: from.name, made }),
  )
  for await (const page of from.pages()) {
    for (const item of page) {
      if (isJob(item)) reckoning.add(item)
      await write(lineOf(item))
      lines++
    }
    tell(reckoning.total)
  }
  await write(JSON.stringify({ end: endOf(reckoning, lines) }))
  return { jobs: reckoning.total, lines: lines + 1 }
}

export function lineOf(item: Portable): string {
  return plain(isJob(item) ? saidOf(item) : item)
}

function endOf(reckoning: Reckoning, lines: number): unknown {
  const queues = reckoning.queues.map((queue) => [queue, reckoning.of(queue)])
  return { lines, jobs: reckoning.total, queues: Object.fromEntries(queues) as unknown }
}

/** PAYLOAD_INVALID: a line that cannot be read, by its number, and why. */
function badLine(line: number, why: string): Error {
  return millraceError({
    code: 'PAYLOAD_INVALID',
    subject: `line ${line}`,
    expected: 'a line of `millrace export`',
    received: why,
    remedy: 'mend the file and import it again: what went in is passed over, and starts only then',
  })
}

/** A line of the file as it was read. */
export type ReadLine =
  | {
      readonly number: number
      readonly kind: 'value'
      readonly value: unknown
      readonly bytes: number
    }
  | { readonly number: number; readonly kind: 'bad'; readonly why: string }

/** Items that go in together, and bytes of them. */
const LOT = 500
const LOT_BYTES = 4 * 1024 * 1024

/**
 * The header says from where; then pages of what stands in the file. Throws PAYLOAD_INVALID where something
 * is no line of ours, and where the end is missing or does not agree.
 */
export async function importSource(lines: AsyncIterator<ReadLine, void, void>): Promise<Source> {
  const first = await lines.next()
  const header = first.done === true ? null : valueOf(first.value)
  const { millrace, version, from, made } = (header ?? {}) as Record<string, unknown> // as: each is checked below
  if (millrace !== 'export')
    throw badLine(1, 'no header of an export: is this a file of `millrace export`?')
  if (version !== EXPORT_VERSION) {
    throw badLine(1, `version ${String(version)}: this Millrace reads ${EXPORT_VERSION}`)
  }
  const name = `the export of ${String(from)} at ${String(made)}`
  return { name, quiet: async () => null, pages: () => pagesIn(lines) }
}

async function* pagesIn(
  lines: AsyncIterator<ReadLine, void, void>,
): AsyncGenerator<readonly Portable[], void, void> {
  const reckoning = new Reckoning()
  let lot: Portable[] = []
  let bytes = 0
  let read = 1
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const value = valueOf(line.value)
    if (typeof value === 'object' && value !== null && 'end' in value) {
      if (lot.length > 0) yield lot
      checkEnd(line.value.number, value.end, reckoning, read)
      const more = await lines.next()
      if (more.done !== true) throw badLine(more.value.number, 'something stands behind the end')
      return
    }
    const item = itemOf(line.value.number, value)
    if (isJob(item)) reckoning.add(item)
    if (lot.length > 0 && isOther(lot[0], item)) {
      yield lot
      lot = []
      bytes = 0
    }
    lot.push(item)
    bytes += line.value.kind === 'value' ? line.value.bytes : 0
    read++
    if (lot.length < LOT && bytes < LOT_BYTES) continue
    yield lot
    lot = []
    bytes = 0
  }
  throw badLine(read + 1, 'the file ends before its end: it was cut short')
}

/** Queues are said before anything that belongs to them. */
function isOther(a: Portable, b: Portable): boolean {
  const isHead = ({ kind }: Portable): boolean => kind === 'queue' || kind === 'scope'
  return isHead(a) !== isHead(b)
}

function valueOf(line: ReadLine): unknown {
  if (line.kind === 'bad') throw badLine(line.number, line.why)
  return unplain(JSON.stringify(line.value))
}

function itemOf(line: number, value: unknown): Portable {
  const said = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : null
  const whole = said === 'job' ? { ...PLAIN_JOB, ...(value as Partial<PortableJob>) } : value // as: it is checked below
  const wrong = checkPortable(whole)
  if (wrong !== null) throw badLine(line, wrong)
  return whole as Portable // as: it was checked
}

function checkEnd(line: number, end: unknown, reckoning: Reckoning, read: number): void {
  if (JSON.stringify(end) === JSON.stringify(endOf(reckoning, read))) return
  throw badLine(
    line,
    'the end does not agree with what stands before it: lines were changed or are missing',
  )
}
