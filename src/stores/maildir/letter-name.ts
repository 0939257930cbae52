/**
 * Names of letters. They sort in the order of work, and carry what an operator wants to see in `ls`
 * and what a claim changes, so that a claim is one move:
 *
 *     100-001764338000123-0000000042.g3.mill.01JDT3V8…:2,FT           in new, wait, done, dead …
 *     100-001764338000123-0000000042.g3.mill.01JDT3V8…:2,FT,k7f2-3-1  in cur, with who holds it
 *     │   │               │          │  │    │        │ └ how its last attempts ended, last eight
 *     │   │               │          │  │    └ the id; of a long or strange one a part and a hash
 *     │   │               │          │  └ the host that wrote it down first
 *     │   │               │          └ the generation of the keeper that wrote the name
 *     │   │               └ the number of its insertion
 *     │   └ its place: when it is due, in milliseconds
 *     └ 100 less its priority, so that the higher comes first
 *
 * Who is not the keeper delivers under a name with `new` instead of a generation and a number of his
 * own; the keeper gives it one.
 *
 *     100-001764338000123-0000000007.new.mill.01JDT3V8…:2,
 *
 * A name is unique by the number of the insertion. What it says is for people, but for the hold.
 */
import { createHash } from 'node:crypto'
import type { AttemptOutcome } from '../../job/job.js'

export interface NameFacts {
  /** -100 to 100. */
  readonly priority: number
  readonly place: number
  readonly seq: number
  readonly generation: number
  readonly host: string
  readonly id: string
  readonly flags: string
  readonly hold: HoldWords | null
}

/** Who holds a running job: `holder` is a number that the paper of nodes explains. */
export interface HoldWords {
  readonly token: number
  readonly claim: number
  readonly holder: number
}

const FLAGS: Readonly<Record<AttemptOutcome, string>> = {
  completed: 'C',
  failed: 'F',
  timeout: 'T',
  lost: 'L',
  cancelled: 'X',
  discarded: 'D',
}

const FLAGS_SHOWN = 8
const ID_SHOWN = 40
const HOST_SHOWN = 24
/** 15 digits of milliseconds reach beyond the year 33,000. */
const LAST_PLACE = 999_999_999_999_999

export function flagsOf(history: readonly { readonly outcome: AttemptOutcome }[]): string {
  return history
    .slice(-FLAGS_SHOWN)
    .map(({ outcome }) => FLAGS[outcome])
    .join('')
}

export function nameOf(facts: NameFacts): string {
  const { generation, host, id, flags, hold } = facts
  const front = `${frontOf(facts)}.g${generation}.${host}.${idSegment(id)}:2,${flags}`
  if (hold === null) return front
  const words = [hold.token, hold.claim, hold.holder].map((one) => one.toString(36))
  return `${front},${words.join('-')}`
}

function frontOf({ priority, place, seq }: Pick<NameFacts, 'priority' | 'place' | 'seq'>): string {
  const rank = String(100 - priority).padStart(3, '0')
  const due = String(Math.min(Math.max(0, Math.floor(place)), LAST_PLACE)).padStart(15, '0')
  return `${rank}-${due}-${String(seq).padStart(10, '0')}`
}

/** Of a letter that is delivered; unique by its id. */
export function deliveryName(facts: Omit<NameFacts, 'generation' | 'flags' | 'hold'>): string {
  const { host, id } = facts
  return `${frontOf(facts)}.new.${host}.${idSegment(id)}:2,`
}

const DELIVERY = /^\d{3}-\d{15}-\d{10,}\.new\.([^.:]+)\.[^:]+:2,$/

/** The host that delivered it; null: it is no delivery. */
export function readDeliveryName(name: string): string | null {
  return DELIVERY.exec(name)?.[1] ?? null
}

const NAME =
  /^(\d{3})-(\d{15})-(\d{10,})\.g(\d+)\.([^.:]+)\.([^:]+):2,([A-Z]*)(?:,([0-9a-z]+)-([0-9a-z]+)-([0-9a-z]+))?$/

export interface ReadName {
  readonly seq: number
  readonly generation: number
  readonly host: string
  readonly hold: HoldWords | null
}

/** Null: no keeper wrote this name. */
export function readName(name: string): ReadName | null {
  const match = NAME.exec(name)
  if (match === null) return null
  const [, , , seq, generation, host, , , token, claim, holder] = match as (string | undefined)[]
  const hold = token === undefined ? null : holdOf(token, claim ?? '', holder ?? '')
  return { seq: Number(seq), generation: Number(generation), host: host ?? '', hold }
}

function holdOf(token: string, claim: string, holder: string): HoldWords {
  return {
    token: Number.parseInt(token, 36),
    claim: Number.parseInt(claim, 36),
    holder: Number.parseInt(holder, 36),
  }
}

/** A host's name as a part of names: `/`, `:` and dots would end it. */
export function hostSegment(host: string): string {
  const safe = host.replace(/[^A-Za-z0-9_-]/g, escapeUnit).slice(0, HOST_SHOWN)
  return safe === '' ? 'host' : safe
}

function idSegment(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_.-]/g, escapeUnit)
  if (safe.length <= ID_SHOWN) return safe === '' ? '%' : safe
  const hash = createHash('sha256').update(id, 'utf16le').digest('hex').slice(0, 24)
  return `${safe.slice(0, ID_SHOWN)}%%${hash}`
}

function escapeUnit(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).padStart(2, '0')}`
}
