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
import { makeRoot, sealFormat } from '../../disk/root.js'
import type { Kind } from '../../disk/root.js'

/** Its number is that of the rules for applying frames and reading snapshots. */
export const KIND: Kind = { name: 'millrace-file', noun: 'store', format: 3 }

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
  await sealFormat(disk, layout.root, KIND, nonce)
  const folders = [layout.log, layout.snap, layout.in, layout.tmp, layout.quarantine]
  disk.makeFolder(layout.scope)
  for (const folder of folders) disk.makeFolder(folder)
  await disk.syncFolder(layout.scope)
  await disk.syncFolder(layout.root)
}
