/**
 * What this process said of its queues, and the settings that are in force. Promises that a
 * declaration is written once per open, before the first awaited operation of its queue, which is
 * also where its errors surface; and that a circle of dead-letter queues is refused. Functions and
 * schemas stay here; the store gets the layer.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Engine } from './engine/engine.js'
import type { Declaration } from './job/declare.js'
import { DEAD_LETTER_HOPS, SETTINGS_FRESH, SETTINGS_KNOWN } from './job/defaults.js'
import { DEFAULT_SETTINGS, effective, NEVER_SAID } from './job/effective.js'
import { millraceError } from './job/errors.js'
import type { MillraceError } from './job/errors.js'
import type { Settings, SettingsLayer, StoredSettings } from './job/settings.js'
import type { Clock } from './time/clock.js'

/** One queue's declaration on its way into the store. */
interface Said {
  declaration: Declaration
  written: boolean
  writing: Promise<void> | null
}

interface Known {
  readonly settings: Settings
  readonly at: number
}

export class Declared {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #said = new Map<string, Said>()
  /** By queue, oldest first; at most `SETTINGS_KNOWN`. */
  readonly #known = new Map<string, Known>()
  #open = false

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  /** The last declaration wins; the same one again costs no write. */
  say(queue: string, declaration: Declaration): void {
    const before = this.#said.get(queue)
    const same =
      before !== undefined && isDeepStrictEqual(before.declaration.layer, declaration.layer)
    if (same) before.declaration = declaration
    else this.#said.set(queue, { declaration, written: false, writing: null })
  }

  /** What this process declared of a queue; null: nothing. */
  of(queue: string): Declaration | null {
    return this.#said.get(queue)?.declaration ?? null
  }

  /** Null when the store is open and knows the declaration; else a promise of both. */
  ready(queue: string): Promise<void> | null {
    const said = this.#said.get(queue)
    if (this.#open && (said === undefined || said.written)) return null
    if (said === undefined) return this.reach()
    said.writing ??= this.#prepare(queue, said).finally(() => (said.writing = null))
    return said.writing
  }

  get isOpen(): boolean {
    return this.#open
  }

  async open(): Promise<void> {
    await this.#engine.open()
    this.#open = true
  }

  /** The same for a call that was made before a close, and goes on while it closes. */
  async reach(): Promise<void> {
    await this.#engine.door.reach()
    this.#open = true
  }

  /** The settings in force, at most `SETTINGS_FRESH` old; 'now' asks the store. */
  async settings(queue: string, age: 'fresh' | 'now' = 'fresh'): Promise<Settings> {
    const known = this.#known.get(queue)
    const now = this.#clock.mono()
    if (age === 'fresh' && known !== undefined && now - known.at < SETTINGS_FRESH) {
      return known.settings
    }
    return this.remember(queue, await this.#engine.store.settings(queue))
  }

  /** The same where the store cannot be asked: as it was last heard of, or as it was declared here. */
  supposed(queue: string): Settings {
    const known = this.#known.get(queue)
    if (known !== undefined) return known.settings
    const said = this.#said.get(queue)
    return said === undefined
      ? DEFAULT_SETTINGS
      : effective({ ...NEVER_SAID, declared: said.declaration.layer })
  }

  /** Takes note of what the store answered; gives it back in force. */
  remember(queue: string, stored: StoredSettings): Settings {
    const settings = effective(stored)
    this.#known.delete(queue)
    this.#known.set(queue, { settings, at: this.#clock.mono() })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= SETTINGS_KNOWN) break
      this.#known.delete(oldest)
    }
    return settings
  }

  /** Refuses a dead-letter queue from which letters would come back to `queue`. */
  async refuseCircle(queue: string, deadLetter: string | null | undefined): Promise<void> {
    const path = [queue]
    let next = deadLetter ?? null
    while (next !== null) {
      path.push(next)
      if (next === queue || path.length > DEAD_LETTER_HOPS) throw circle(queue, path)
      next = await this.#deadLetterOf(next)
    }
  }

  async #prepare(queue: string, said: Said): Promise<void> {
    await this.reach()
    const { layer } = said.declaration
    await this.refuseCircle(queue, layer.deadLetter)
    await this.#write(queue, layer)
    said.written = true
    const latest = this.#said.get(queue)
    if (latest !== undefined && latest !== said) await this.ready(queue)
  }

  async #write(queue: string, layer: SettingsLayer): Promise<void> {
    const { store, events } = this.#engine
    const before = events.wants('queue.declared') ? await store.settings(queue) : null
    const after = await store.declare(queue, layer)
    this.remember(queue, after)
    if (before === null || before.revision === after.revision) return
    const changed = differing(before.declared, after.declared)
    events.emit('queue.declared', { queue, revision: after.revision, changed })
  }

  /** What this process is about to declare counts before what is stored. */
  async #deadLetterOf(queue: string): Promise<string | null> {
    const said = this.#said.get(queue)
    const { declared, overrides, revision } = await this.#engine.store.settings(queue)
    if (said === undefined || said.written)
      return effective({ declared, overrides, revision }).deadLetter
    return effective({ revision, declared: said.declaration.layer, overrides }).deadLetter
  }
}

function differing(before: SettingsLayer, after: SettingsLayer): (keyof Settings)[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Settings> // as: layers have no other names
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]))
}

function circle(queue: string, path: readonly string[]): MillraceError {
  return millraceError({
    code: 'OPTION_INVALID',
    subject: `queue(${JSON.stringify(queue)}).deadLetter`,
    expected: 'a queue from which letters do not come back',
    received: path.length > 10 ? `${path.length} queues in a row` : path.join(' → '),
    remedy: 'leave deadLetter out of the last queue of the row: its letters then stay there',
  })
}
