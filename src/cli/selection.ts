/**
 * Which jobs a command means: the filters that `list`, `retry`, `cancel` and `delete` share, as
 * options and as a selector. Promises that nothing named means nothing: to change every job of a
 * queue one has to say --all.
 */
import { Option } from 'commander'
import type { Command } from 'commander'
import { invalid, word } from '../job/check.js'
import { millraceError } from '../job/errors.js'
import { STATES } from '../job/job.js'
import type { State } from '../job/job.js'
import type { Selector } from '../queue/select.js'

export interface Filters {
  readonly state?: readonly string[]
  readonly task?: string
  readonly group?: string
  readonly tag?: string
  readonly search?: string
}

export interface Aim extends Filters {
  readonly all?: true
}

/** Adds the filters to a command. */
export function withFilters(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--state <state>',
        `only jobs in this state; may be repeated: ${STATES.join(', ')}`,
      ).argParser(gathered),
    )
    .option('--task <name>', 'only jobs of this task')
    .option('--group <name>', 'only jobs of this group')
    .option('--tag <tag>', 'only jobs with this tag')
    .option('--search <text>', 'only jobs with this in their id, payload or last error')
}

/** An option that may be repeated, or be given as a list with commas. */
export function gathered(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...value.split(',').map((each) => each.trim())]
}

export function selectorFrom({ state, task, group, tag, search }: Filters): Selector {
  return {
    ...(state !== undefined && { states: state.map(stateOf) }),
    ...(task !== undefined && { task }),
    ...(group !== undefined && { group }),
    ...(tag !== undefined && { tag }),
    ...(search !== undefined && { search }),
  }
}

function stateOf(text: string): State {
  return word(text, STATES, '--state')
}

/** What is to be changed; refused when nothing was named. */
export function targetFrom(ids: readonly string[], aim: Aim, command: string): Selector {
  const selector = { ...selectorFrom(aim), ...(ids.length > 0 && { ids: [...new Set(ids)] }) }
  const isNarrow = Object.keys(selector).length > 0
  if (isNarrow && ids.length > 0 && aim.all === true) {
    throw invalid('--all', 'ids or --all', 'both', 'leave one of them out')
  }
  if (isNarrow) return selector
  if (aim.all === true) return { states: STATES }
  const remedy = `name ids, or filter with --state, --task, --group, --tag, --search, or say --all`
  throw millraceError({
    code: 'OPTION_INVALID',
    subject: `millrace ${command}`,
    expected: 'to hear which jobs',
    remedy,
  })
}
