/**
 * Where everything of a file store lies, and how a store is begun and recognised. Names come from
 * numbers and encoded scopes only; ids, groups and queue names never reach a path, but for the drop
 * boxes, whose names are encoded too.
 *
 *     <root>/FORMAT                    "millrace-file 3 <uuid>"; the first to link it wins
 *     <root>/<scope>/log/00000007.log  segments; the highest that is not sealed is written
 *     <root>/<scope>/snap/             what stands for the segments before
 *     <root>/<scope>/in/<queue>/       drop boxes
 *     <root>/<scope>/tmp/              never promoted but by link
 *     <root>/<scope>/quarantine/       what is foreign or damaged, each with a .why
 */
import type { Disk } from '../../disk/disk.js'
import { encodeName } from '../../disk/names.js'
import { millraceError } from '../../job/errors.js'
import { place, writeAll } from '../../disk/place.js'

/** The rules for applying frames and reading snapshots; another number is refused. */
export const FORMAT = 3

export interface Layout {
  readonly root: string
  readonly scope: string
  readonly log: string
  readonly snap: string
  readonly in: string
  readonly tmp: string
  readonly quarantine: string
}

export function layoutOf(root: string, scope: string): Layout {
  const base = `${root}/${encodeName(scope)}`
  return {
    root,
    scope: base,
    log: `${base}/log`,
    snap: `${base}/snap`,
    in: `${base}/in`,
    tmp: `${base}/tmp`,
    quarantine: `${base}/quarantine`,
  }
}

export function segmentPath(layout: Layout, segment: number): string {
  return `${layout.log}/${String(segment).padStart(8, '0')}.log`
}

const SEGMENT = /^(\d{8,})\.log$/

/** The numbers of the segments that are there, rising. */
export function segments(disk: Disk, layout: Layout): number[] {
  const numbers: number[] = []
  for (const name of disk.list(layout.log)) {
    const match = SEGMENT.exec(name)
    if (match !== null) numbers.push(Number(match[1]))
  }
  return numbers.sort((a, b) => a - b)
}

/** Makes what is missing and says which store this is. `nonce` names temporary files. */
export async function establish(disk: Disk, layout: Layout, nonce: string): Promise<void> {
  await makeRoot(disk, layout.root)
  await sealFormat(disk, layout, nonce)
  const folders = [layout.log, layout.snap, layout.in, layout.tmp, layout.quarantine]
  disk.makeFolder(layout.scope)
  for (const folder of folders) disk.makeFolder(folder)
  await disk.syncFolder(layout.scope)
  await disk.syncFolder(layout.root)
}

/**
 * The folder may be made with its parents, but only the last is ours to judge. Its name is made
 * durable, whoever made it: a root that a power cut takes away takes everything along.
 */
async function makeRoot(disk: Disk, root: string): Promise<void> {
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
    if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error
  }
}

const FORMAT_LINE = /^millrace-file (\d+) ([0-9a-f-]+)\n$/
const FORMAT_BYTES = 256

async function sealFormat(disk: Disk, layout: Layout, nonce: string): Promise<void> {
  const path = `${layout.root}/FORMAT`
  if (disk.facts(path) === null) {
    const line = Buffer.from(`millrace-file ${FORMAT} ${nonce}\n`)
    const draft = `${layout.root}/.FORMAT.${nonce}`
    await place({ disk, draft, path, fill: (file) => writeAll(file, line) })
    await disk.syncFolder(layout.root)
  }
  const number = readFormat(disk, layout.root)?.number ?? null
  if (number === FORMAT) return
  throw millraceError({
    code: 'FORMAT_UNSUPPORTED',
    subject: path,
    expected: `a store of format ${FORMAT}`,
    received: number === null ? 'a file that no version of Millrace wrote' : `format ${number}`,
    remedy:
      number === null
        ? 'name another folder; this one is not a Millrace store'
        : 'use the version of Millrace that wrote it, or copy the store with that version',
  })
}

/** What a store says of itself; null when it says nothing that we know. */
export function readFormat(
  disk: Disk,
  root: string,
): { readonly number: number; readonly id: string } | null {
  const file = disk.read(`${root}/FORMAT`)
  try {
    const bytes = Buffer.alloc(FORMAT_BYTES)
    const text = bytes.toString('latin1', 0, file.readAt(0, bytes))
    const match = FORMAT_LINE.exec(text)
    return match === null ? null : { number: Number(match[1]), id: match[2] }
  } finally {
    file.close()
  }
}
