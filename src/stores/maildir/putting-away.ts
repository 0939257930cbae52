/** Putting away what is no letter, while the desk knows that it has yet to be made safe. */
import type { Disk } from '../../disk/disk.js'
import { quarantine } from '../../disk/quarantine.js'
import type { Desk } from './desk.js'
import type { Layout } from './layout.js'
import type { Spare } from './spare.js'

export interface PuttingParts {
  readonly disk: Disk
  readonly layout: Layout
  readonly nonce: string
  readonly spare: Spare
  readonly desk: Desk
}

/** `path` is below the scope. Answers where it is now. */
export function putAway(
  { disk, layout, nonce, spare, desk }: PuttingParts,
  path: string,
  why: string,
): string {
  const target = spare.within(() => quarantine(disk, layout, `${layout.scope}/${path}`, why, nonce))
  const below = target.slice(layout.scope.length + 1)
  desk.owe(below)
  desk.owe(`${below}.why`)
  return target
}
