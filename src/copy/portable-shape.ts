/**
 * Whether something that was read from a file is what a store may take over: the right words, each
 * of the right kind. Whether it makes sense together is for the store to find out.
 */
import { STATES } from '../job/job.js'

type Check = (value: unknown) => boolean

const text: Check = (value) => typeof value === 'string'
const number: Check = (value) => typeof value === 'number' && !Number.isNaN(value)
const whole: Check = (value) => Number.isSafeInteger(value)
const flag: Check = (value) => typeof value === 'boolean'
const maybe =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const one =
  (...words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value)
const record: Check = (value) => {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
const shape =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    return record(value) && wrongIn(checks, value as Record<string, unknown>) === null // as: `record` looked
  }
const open =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!record(value)) return false
    const words = value as Record<string, unknown> // as: `record` looked
    return Object.entries(checks).every(([name, check]) => check(words[name]))
  }

const encoded = shape({ text, codec: one('json', 'rich') })
const ref = shape({ queue: text, id: text })
const how = one('unfinished', 'waiting')
const end = one('completed', 'cancelled', 'discarded')
const past = open({ attempt: whole, round: whole, outcome: text, worker: text, startedAt: number })
const pause = shape({ since: number, by: text })
const ownKey = shape({ name: text, while: how })

const JOB: Readonly<Record<string, Check>> = {
  kind: text,
  queue: text,
  id: (value) => text(value) && value !== '',
  ownId: flag,
  task: text,
  payload: maybe(encoded),
  priority: (value) => whole(value) && Math.abs(Number(value)) <= 100,
  group: text,
  tags: list(text),
  meta: maybe(encoded),
  timeout: maybe(number),
  maxAttempts: maybe(number),
  expiresIn: maybe(number),
  state: one(...STATES, 'receipt'),
  attempt: whole,
  round: whole,
  crashes: whole,
  place: number,
  due: number,
  isAtWall: flag,
  insertedAt: number,
  endedAt: maybe(number),
  holdsGroup: flag,
  isFresh: flag,
  key: maybe(shape({ name: text, while: how, holds: flag, until: maybe(number) })),
  parents: list(
    shape({
      ...{ queue: text, id: text, end: maybe(end), result: maybe(encoded), isWaived: flag },
      ...{ looksAt: maybe(ref), isAway: flag },
    }),
  ),
  onParentFailed: one('wait', 'discard', 'run'),
  history: list(past),
  origin: maybe(
    shape({
      ...{ queue: text, id: text, history: list(past), reason: text },
      ...{ maxAttempts: maybe(number), key: maybe(ownKey) },
    }),
  ),
  result: maybe(encoded),
  progress: maybe(number),
  log: list(text),
  steps: list(shape({ name: text, value: encoded })),
  stepsTold: whole,
  discarded: maybe(text),
  reason: maybe(text),
  movedTo: maybe(ref),
  isDeleted: flag,
  final: maybe(end),
  holder: maybe(record),
}

const KINDS: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  job: JOB,
  scope: { kind: text, paused: pause },
  queue: {
    ...{ kind: text, queue: text, declared: record, overrides: record, paused: maybe(pause) },
    pausedGroups: list((value) => Array.isArray(value) && text(value[0]) && pause(value[1])),
    ...{ transit: maybe(record), hasKeys: flag },
  },
  key: { kind: text, queue: text, name: text, id: text, while: how, until: number },
  schedule: {
    ...{ kind: text, queue: text },
    schedule: open({ name: text, revision: whole, spec: record, paused: flag }),
  },
  retired: {
    ...{ kind: text, queue: text, name: text, revision: whole, passed: maybe(number) },
    until: number,
  },
  throttle: { kind: text, name: text, until: number },
  grants: {
    ...{ kind: text, name: text, keep: number },
    moments: list((value) => Array.isArray(value) && number(value[0]) && whole(value[1])),
  },
}

/** Null: it is something to be taken over; else what is wrong with it. */
export function checkPortable(value: unknown): string | null {
  if (!record(value)) return 'not an object'
  const words = value as Record<string, unknown> // as: `record` looked
  const checks =
    typeof words.kind === 'string' && Object.hasOwn(KINDS, words.kind)
      ? KINDS[words.kind]
      : undefined
  if (checks === undefined) return `nothing is of kind ${JSON.stringify(words.kind) ?? 'undefined'}`
  const wrong = wrongIn(checks, words)
  if (wrong !== null || words.kind !== 'job') return wrong
  const isOver = words.endedAt !== null
  const hasEnded = words.state === 'receipt' || end(words.state)
  if (isOver !== hasEnded) return `"endedAt" does not fit the state ${String(words.state)}`
  return (words.payload === null) === (words.state === 'receipt')
    ? null
    : '"payload" is missing, or stands in a receipt'
}

function wrongIn(
  checks: Readonly<Record<string, Check>>,
  words: Readonly<Record<string, unknown>>,
): string | null {
  for (const [name, check] of Object.entries(checks)) {
    if (!check(words[name])) return `"${name}" is ${JSON.stringify(words[name]) ?? 'missing'}`
  }
  const unknown = Object.keys(words).find((name) => !Object.hasOwn(checks, name))
  return unknown === undefined ? null : `nobody knows the word ${JSON.stringify(unknown)}`
}
