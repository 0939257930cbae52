/**
 * Where everything of a file store lies, and how a store is begun and recognised. Names come from
 * numbers and encoded scopes only; ids, groups and queue names never reach a path, but for the drop
 * boxes, whose names are encoded too.
 *
 *     <root>/FORMAT                    "millrace-file 1 <uuid>"; the first to link it wins
 *     <root>/<scope>/log/00000007.log  segments; the highest that is not sealed is written
 *     <root>/<scope>/snap/             what stands for the segments before
 *     <root>/<scope>/in/<queue>/       drop boxes
 *     <root>/<scope>/tmp/              never promoted but by link
 *     <root>/<scope>/quarantine/       what is foreign or damaged, each with a .why
 */
import type { Disk } from '../../disk/disk.js'
import { encodeName } from '../../disk/names.js'
import { millraceError } from '../../job/errors.js'

/** The rules for applying frames and reading snapshots; another number is refused. */
export const FORMAT = 1

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
  makeRoot(disk, layout.root)
  await sealFormat(disk, layout, nonce)
  const folders = [layout.log, layout.snap, layout.in, layout.tmp, layout.quarantine]
  disk.makeFolder(layout.scope)
  for (const folder of folders) disk.makeFolder(folder)
  await disk.syncFolder(layout.scope)
  await disk.syncFolder(layout.root)
}

/** The folder may be made with its parents, but only the last is ours to judge. */
function makeRoot(disk: Disk, root: string): void {
  const parts = root.split('/')
  for (let depth = 2; depth < parts.length; depth++) {
    const parent = parts.slice(0, depth).join('/')
    if (disk.facts(parent) === null) disk.makeFolder(parent)
  }
  disk.makeFolder(root)
}

const FORMAT_LINE = /^millrace-file (\d+) ([0-9a-f-]+)\n$/
const FORMAT_BYTES = 256

async function sealFormat(disk: Disk, layout: Layout, nonce: string): Promise<void> {
  const path = `${layout.root}/FORMAT`
  if (disk.facts(path) === null) {
    const draft = `${layout.root}/.FORMAT.${nonce}`
    const file = disk.create(draft)
    file.write(Buffer.from(`millrace-file ${FORMAT} ${nonce}\n`))
    await file.sync()
    file.close()
    disk.link(draft, path)
    disk.remove(draft)
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

/** Moves a file out of the way, with a word why. Never throws: what cannot be moved is reported. */
export function quarantine(
  disk: Disk,
  layout: Layout,
  path: string,
  why: string,
  nonce: string,
): void {
  const name = encodeName(path.slice(path.lastIndexOf('/') + 1)).slice(0, 100)
  const target = `${layout.quarantine}/${nonce}.${name}`
  disk.rename(path, target)
  writeWhole(disk, `${target}.why`, Buffer.from(`${why}\n`))
}

/** A new file with these bytes, not yet synced. */
export function writeWhole(disk: Disk, path: string, bytes: Uint8Array): void {
  const file = disk.create(path)
  try {
    let at = 0
    while (at < bytes.length) at += file.write(bytes.subarray(at))
  } finally {
    file.close()
  }
}
