/**
 * The folder of a store, which is made where it is not there, and the file in it that says whose it is:
 * `FORMAT`, one line of a name, a number and an id. The first to link it wins; another number is refused.
 */
import { millraceError } from '../job/errors.js'
import type { Disk } from './disk.js'
import { hasCode, isMissing } from './errno.js'
import { place, writeAll } from './place.js'

/** What stands in a folder of this kind, and by which rules; another number is of other rules. */
export interface Kind {
  /** The first word of its line. */
  readonly name: string
  /** As users call it. */
  readonly noun: string
  readonly format: number
}

const BYTES = 256

/**
 * The folder may be made with its parents, but only the last is ours to judge. Its name is made
 * durable, whoever made it: a root that a power cut takes away takes everything along.
 */
export async function makeRoot(disk: Disk, root: string): Promise<void> {
  const parts = root.split('/')
  for (let depth = 2; depth <= parts.length; depth++) {
    const folder = parts.slice(0, depth).join('/')
    const isRoot = depth === parts.length
    const isNew = disk.facts(folder) === null
    if (isNew || isRoot) disk.makeFolder(folder)
    if (isNew || isRoot) await syncParent(disk, parts.slice(0, depth - 1).join('/'))
  }
}

/** A parent may be a link, and need not be readable: whoever made the folder there could sync it. */
async function syncParent(disk: Disk, parent: string): Promise<void> {
  try {
    await disk.syncFolder(`${parent}/.`)
  } catch (error) {
    if (!hasCode(error, ['EACCES'])) throw error
  }
}

/** Says what it is, where nobody has. Throws as `checkFormat`. `nonce`: the id, if we are first. */
export async function sealFormat(
  disk: Disk,
  root: string,
  kind: Kind,
  nonce: string,
): Promise<void> {
  const path = `${root}/FORMAT`
  if (disk.facts(path) === null) {
    const line = Buffer.from(`${kind.name} ${kind.format} ${nonce}\n`)
    const draft = `${root}/.FORMAT.${nonce}`
    await place({ disk, draft, path, fill: (file) => writeAll(file, line) })
    await disk.syncFolder(root)
  }
  checkFormat(disk, root, kind)
}

/** Throws FORMAT_UNSUPPORTED for what another version wrote, or nobody of ours. */
export function checkFormat(disk: Disk, root: string, kind: Kind): void {
  const number = readFormat(disk, root, kind)?.number ?? null
  if (number === kind.format) return
  throw millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: `${root}/FORMAT`,
    expected: `a ${kind.noun} of format ${kind.format}`,
    received: number === null ? 'a file that no version of Millrace wrote' : `format ${number}`,
    remedy:
      number === null
        ? `name another folder; this one is no ${kind.noun} of Millrace`
        : 'use the version of Millrace that wrote it, or copy it with that version',
  })
}

/** What a folder says of itself; null when it says nothing that we know. */
export function readFormat(
  disk: Disk,
  root: string,
  { name }: Kind,
): { readonly number: number; readonly id: string } | null {
  const file = disk.read(`${root}/FORMAT`)
  try {
    const bytes = Buffer.alloc(BYTES)
    const text = bytes.toString('latin1', 0, file.readAt(0, bytes))
    const [, word, number, id] = /^(\S+) (\d+) ([0-9a-f-]+)\n$/.exec(text) ?? []
    return word === name ? { number: Number(number), id } : null
  } finally {
    file.close()
  }
}

/** The id of the store in a folder; null: none of this kind is there, or not any more. */
export function idOf(disk: Disk, root: string, kind: Kind): string | null {
  try {
    return readFormat(disk, root, kind)?.id ?? null
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
