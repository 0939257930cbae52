/**
 * Our statements on a PGlite. Its own `query` has each of them parsed and planned anew, which takes
 * most of their time; so those with a name are prepared in its session, once for all stores on it, and
 * executed with their values written out. What the user asks in a transaction of ours is asked as he
 * would ask it.
 */
import type { Query } from './client.js'
import type { Pglite, PgliteTx, Reading, Rows } from './pglite-turn.js'
import { ANSWERED, TYPES } from './reading.js'

const READING: Reading = {
  parsers: Object.fromEntries(ANSWERED.map((type) => [type, TYPES.getTypeParser(type)])),
}

/** What `sent` makes of values. */
type Sent = string | number | null

const known = new WeakMap<object, Prepared>()

export class Prepared {
  readonly #prefix: string
  /** Names by their texts. */
  readonly #names = new Map<string, string>()

  private constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** `name`: of what this PGlite keeps, and of no other. */
  static on(db: Pglite, name: string): Prepared {
    const prepared = known.get(db) ?? new Prepared(`millrace_${name}`)
    known.set(db, prepared)
    return prepared
  }

  async ask(tx: PgliteTx, { name, text, values = [], types, rowMode }: Query): Promise<Rows> {
    if (types === undefined) return tx.query(text, values)
    const reading = rowMode === undefined ? READING : { ...READING, rowMode }
    if (name !== undefined) return this.#execute(tx, text, values, reading)
    return values.length === 0
      ? last(await tx.exec(text, reading))
      : tx.query(text, values, reading)
  }

  async #execute(
    tx: PgliteTx,
    text: string,
    values: readonly unknown[],
    reading: Reading,
  ): Promise<Rows> {
    const known = this.#names.get(text)
    const name = known ?? `${this.#prefix}_${this.#names.size}`
    if (known === undefined) {
      await tx.exec(`PREPARE ${name} AS ${text}`)
      // It lasts, also when the transaction is rolled back.
      this.#names.set(text, name)
    }
    const given = values.length === 0 ? '' : `(${(values as Sent[]).map(written).join()})` // as: they are ours
    return last(await tx.exec(`EXECUTE ${name}${given}`, reading))
  }
}

function last(answers: readonly Rows[]): Rows {
  return answers.at(-1) ?? { rows: [] }
}

/** With escapes that mean the same whatever the session's settings are. */
function written(value: Sent): string {
  if (value === null) return 'NULL'
  return `E'${String(value).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
