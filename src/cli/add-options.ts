/** The options of `millrace add`, from words to what a producer says; their values are checked there. */
import { Option } from 'commander'
import type { Command } from 'commander'
import { invalid, word } from '../job/check.js'
import { PRIORITY_LIMIT } from '../job/defaults.js'
import type { ItemOptions } from '../job/options.js'
import type { Duration } from '../time/duration.js'
import { wholeNumber } from './numbers.js'
import { gathered } from './selection.js'

export interface AddWords {
  readonly in?: string
  readonly at?: string
  readonly priority?: string
  readonly group?: string
  readonly unique?: string
  readonly tag?: readonly string[]
  readonly meta?: string
  readonly task?: string
  readonly id?: string
}

export function withAddOptions(command: Command): Command {
  return command
    .option('--in <span>', 'not before this has passed: 500ms, 30s, 5m, 1h, 7d')
    .option('--at <time>', 'not before this time: 2030-01-31T09:00Z; without a zone, the local one')
    .option(
      '--priority <p>',
      `high, normal, low, or a number from -${PRIORITY_LIMIT} to ${PRIORITY_LIMIT}`,
    )
    .option('--group <name>', 'a customer, a mailbox: the unit of fairness')
    .option('--unique <key>', 'only if no unfinished job has this key')
    .addOption(new Option('--tag <tag>', 'a tag; may be repeated').argParser(gathered))
    .option('--meta <json>', 'an object that travels beside the payload')
    .option('--task <name>', 'the task that it is for, in a queue with several')
    .option('--id <id>', 'an id of your own: the same one twice is one job')
}

export function itemOptions(words: AddWords): ItemOptions {
  const { group, unique, tag, id } = words
  return {
    ...whenOf(words),
    ...(words.priority !== undefined && { priority: priorityOf(words.priority) }),
    ...(group !== undefined && { group }),
    ...(unique !== undefined && { unique: { key: unique } }),
    ...(tag !== undefined && { tags: tag }),
    ...(words.meta !== undefined && { meta: metaOf(words.meta) }),
    ...(id !== undefined && { id }),
  }
}

function whenOf(words: AddWords): Pick<ItemOptions, 'in'> | Pick<ItemOptions, 'at'> {
  if (words.in !== undefined && words.at !== undefined) {
    throw invalid('--at', '--in or --at', 'both', 'leave one of them out')
  }
  if (words.in !== undefined) return { in: words.in as Duration } // as: the face checks it, with its way out
  return words.at === undefined ? {} : { at: timeOf(words.at) }
}

const TIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i

function timeOf(text: string): Date {
  const at = new Date(TIME.test(text) ? text : Number.NaN)
  if (!Number.isNaN(at.getTime())) return at
  throw invalid('--at', 'a time', text, 'write it like 2030-01-31T09:00Z or 2030-01-31T10:00+01:00')
}

function priorityOf(text: string): NonNullable<ItemOptions['priority']> {
  const bounds = { least: -PRIORITY_LIMIT, most: PRIORITY_LIMIT }
  if (/^[+-]?\d+$/.test(text)) return wholeNumber(text, '--priority', bounds) ?? 0
  return word(text, ['high', 'normal', 'low'], '--priority')
}

function metaOf(text: string): Readonly<Record<string, unknown>> {
  const value = jsonOf(text, '--meta')
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>> // as: it came from JSON
  }
  throw invalid('--meta', 'a JSON object', text, `write it like '{"requestId":"7"}'`)
}

/** A value that was given as JSON on the command line. */
export function jsonOf(text: string, subject: string): unknown {
  try {
    return JSON.parse(text) as unknown // as: any → unknown
  } catch {
    const remedy = `quote it for the shell: '{"to":"ada"}', or '"text"' for a text` // what JSON.parse says is no help here
    throw invalid(subject, 'JSON', text, remedy)
  }
}
