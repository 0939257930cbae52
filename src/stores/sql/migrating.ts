/**
 * Tables from one version to another. A version says what makes it and what takes it back, and from
 * which version of the code on it can be worked with: neighbours may so work side by side while a
 * deployment rolls, and code refuses only what is beyond it. Everything happens in one transaction,
 * under the database's own lock, so that any number of processes may start at once and a death on
 * the way leaves what was there before.
 */
import { invalid } from '../../job/check.js'
import { millraceError } from '../../job/errors.js'

export interface Version {
  /** The lowest version whose code can work with the tables as this one leaves them. */
  readonly compatibleFrom: number
  /** What makes it of the one before. Said once and for ever: a release has it. */
  readonly up: (prefix: string) => readonly string[]
  /** What makes the one before of it. */
  readonly down: (prefix: string) => readonly string[]
}

/** What stands in the database; 0: no tables. */
export interface Standing {
  readonly version: number
  readonly compatibleFrom: number
}

/** The tables as they are written down: nothing here needs a connection. */
export interface Tables {
  readonly store: 'sqlite' | 'postgres'
  /** What stands before every name. */
  readonly prefix: string
  readonly versions: readonly Version[]
  /** Begins a transaction in which nobody else migrates. */
  readonly begin: readonly string[]
  /** Makes the table of versions, where it is not there. */
  readonly ground: readonly string[]
}

/** The tables as they stand in a database. */
export interface Ground {
  standing(): Promise<Standing>
  /** Whether any job lies in them. Asked only where there are tables. */
  hasJobs(): Promise<boolean>
  /** Runs it in a transaction of `Tables.begin`; commits it. */
  alone<T>(work: (run: (sql: string) => Promise<void>) => Promise<T>): Promise<T>
}

/** 'newest', or the version to which it is taken back. */
export type Goal = 'newest' | { readonly downTo: number; readonly dropsJobs: boolean }

export interface Move {
  readonly from: number
  readonly to: number
  /** In their order. None: there is nothing to do. */
  readonly statements: readonly string[]
}

/** What the tables are, and what would have to be done, without doing it. */
export async function planned(tables: Tables, ground: Ground, goal: Goal): Promise<Move> {
  const standing = await ground.standing()
  if (goal === 'newest') return upward(tables, standing)
  const move = downward(tables, standing, goal.downTo)
  if (move.to === 0 && move.from > 0 && !goal.dropsJobs && (await ground.hasJobs())) {
    throw hasJobs(tables)
  }
  return move
}

/** Does it, unless it is done. */
export async function migrate(tables: Tables, ground: Ground, goal: Goal): Promise<Move> {
  const before = await planned(tables, ground, goal)
  if (before.statements.length === 0) return before
  return ground.alone(async (run) => {
    // Another process may have done it meanwhile.
    const move = await planned(tables, ground, goal)
    for (const sql of move.statements) await run(sql)
    return move
  })
}

/** The plain SQL from one version to another, to be run by hand. */
export function script(tables: Tables, from: number, to: number): string {
  const { statements } = between(tables, from, to)
  const head = `-- Millrace, tables in ${tables.store}: from version ${from} to ${to}`
  const all = [...tables.begin, ...statements, 'COMMIT']
  return [head, ...all.map((sql) => `${dedented(sql)};`)].join('\n')
}

/** Throws FORMAT_UNSUPPORTED when this code cannot work with what stands there. */
export function refuseBeyond({ store, versions }: Tables, standing: Standing): void {
  if (standing.compatibleFrom <= versions.length) return
  throw millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: `store ${store}`,
    expected: `tables that code of version ${versions.length} can work with`,
    received: `version ${standing.version}, for code from version ${standing.compatibleFrom} on`,
    remedy: 'a newer Millrace has brought these tables up to date: run that one here, too',
  })
}

/** Told where tables are too old and may not be brought up to date. */
export function outdated(tables: Tables, standing: Standing, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause)
  return millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: `store ${tables.store}`,
    expected: `tables of version ${tables.versions.length}`,
    received: standing.version === 0 ? 'no tables' : `version ${standing.version}`,
    remedy: `this role may not bring them up to date (${why}): run \`millrace migrate\` as one that may`,
    cause,
  })
}

function upward(tables: Tables, standing: Standing): Move {
  refuseBeyond(tables, standing)
  const { version } = standing
  return between(tables, version, Math.max(version, tables.versions.length))
}

function downward(tables: Tables, { version }: Standing, to: number): Move {
  const newest = tables.versions.length
  if (version > newest) {
    throw millraceError({
      code: 'FORMAT_UNSUPPORTED',
      subject: `store ${tables.store}`,
      expected: `tables of version ${newest} or older, which this code knows how to take back`,
      received: `version ${version}`,
      remedy: 'take them back with the Millrace that made them',
    })
  }
  if (to > version) throw invalid('--to', `a version up to ${version}`, to, 'up goes further')
  return between(tables, version, to)
}

function between({ prefix, versions, ground }: Tables, from: number, to: number): Move {
  if (from === to || from > versions.length) return { from, to: from, statements: [] }
  if (from < to) {
    const made = versions.slice(from, to).flatMap(({ up, compatibleFrom }, at) => {
      const values = `${from + at + 1}, ${compatibleFrom}`
      const known = `INSERT INTO ${prefix}versions (version, compatible_from) VALUES (${values})`
      return [...up(prefix), known]
    })
    return { from, to, statements: [...ground, ...made] }
  }
  const undone = versions.slice(to, from).toReversed()
  const rest =
    to === 0
      ? `DROP TABLE ${prefix}versions`
      : `DELETE FROM ${prefix}versions WHERE version > ${to}`
  return { from, to, statements: [...undone.flatMap(({ down }) => down(prefix)), rest] }
}

function hasJobs({ store }: Tables): Error {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `store ${store}`,
    expected: 'no jobs in tables that are to be dropped',
    received: 'jobs',
    remedy: 'delete them first, or say --drop-jobs',
  })
}

/** The lines of a statement, without the indentation of the code that holds it. */
function dedented(sql: string): string {
  const [first, ...rest] = sql.split('\n')
  const indents = rest.map((line) => line.search(/\S/)).filter((at) => at >= 0)
  const least = indents.length === 0 ? 0 : Math.max(0, Math.min(...indents) - 1)
  return [first, ...rest.map((line) => line.slice(least))].join('\n')
}
