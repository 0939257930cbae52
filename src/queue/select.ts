/**
 * Which jobs an operator means. Promises that a misspelt field selects nothing by accident: it is
 * refused, and so is an empty selector where it would end or delete everything.
 */
import { invalid, name, onlyKnown, record, word } from '../job/check.js'
import { STATES } from '../job/job.js'
import type { State } from '../job/job.js'
import type * as job from '../job/selector.js'

/**
 * All that is given must hold; `state` is short for `states: [state]`. `search`: a part of id,
 * payload text, last error or reason, of a dead letter also of the job's that it was.
 */
export interface Selector {
  readonly ids?: readonly string[]
  readonly state?: State
  readonly states?: readonly State[]
  readonly task?: string
  readonly group?: string
  readonly tag?: string
  readonly search?: string
}

const FIELDS = ['ids', 'state', 'states', 'task', 'group', 'tag', 'search']

/** A selector for reading: nothing given means every job. */
export function selectorOf(which: unknown, subject: string): job.Selector {
  if (which === undefined) return {}
  const given = record(which, subject)
  onlyKnown(given, FIELDS, subject)
  return {
    ...(given.ids !== undefined && { ids: idsOf(given.ids, `${subject}.ids`) }),
    ...statesOf(given, subject),
    ...(given.task !== undefined && { task: name(given.task, `${subject}.task`) }),
    ...(given.group !== undefined && { group: name(given.group, `${subject}.group`, 'allowed') }),
    ...(given.tag !== undefined && { tag: name(given.tag, `${subject}.tag`) }),
    ...searchOf(given.search, `${subject}.search`),
  }
}

/** A selector for changing: an id, or at least one field. */
export function targetOf(which: unknown, subject: string): job.Selector {
  if (typeof which === 'string') return { ids: [name(which, subject)] }
  const selector = selectorOf(record(which, subject), subject)
  if (Object.keys(selector).length > 0) return selector
  const remedy = `say which: an id, or for example { states: [${STATES.map(quoted).join(', ')}] }`
  throw invalid(subject, 'a selector that is not empty', which, remedy)
}

/** Whether no job can be meant, so that the store need not be asked. */
export function selectsNothing(selector: job.Selector): boolean {
  return selector.ids?.length === 0 || selector.states?.length === 0
}

function idsOf(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) throw invalid(path, 'an array of ids', value)
  const ids: readonly unknown[] = value
  return ids.map((id, at) => name(id, `${path}[${at}]`))
}

/** `state` and `states` together mean what is in both, as with all fields. */
function statesOf(
  given: Readonly<Record<string, unknown>>,
  subject: string,
): { readonly states?: readonly State[] } {
  const one = given.state === undefined ? null : word(given.state, STATES, `${subject}.state`)
  if (given.states === undefined) return one === null ? {} : { states: [one] }
  if (!Array.isArray(given.states)) {
    throw invalid(`${subject}.states`, 'an array of states', given.states)
  }
  const asked: readonly unknown[] = given.states
  const states = asked.map((state, at) => word(state, STATES, `${subject}.states[${at}]`))
  return { states: one === null ? states : states.filter((state) => state === one) }
}

function searchOf(value: unknown, path: string): { readonly search?: string } {
  if (value === undefined || value === '') return {}
  if (typeof value === 'string') return { search: value }
  throw invalid(path, 'a string', value)
}

function quoted(text: string): string {
  return `'${text}'`
}
