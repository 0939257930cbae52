/**
 * The shape of a law: its name is a promise, its body the test of it, in a rig of its own. Nothing
 * here knows a runner.
 */
import type { Rig } from './rig.js'

export type Laws = Readonly<Record<string, (rig: Rig) => Promise<void>>>

/** Laws of one subject. */
export interface Group {
  readonly title: string
  readonly laws: Laws
}
