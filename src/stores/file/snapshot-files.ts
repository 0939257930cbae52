/**
 * Names and numbers of snapshot files. An address says a file by number: segments count from 1,
 * data files from `DATA_FROM` by the segment after which they were made. Two writers of the same
 * snapshot make two data files; the index that was linked says whose counts.
 */
import type { Disk } from '../../disk/disk.js'
import { segmentPath } from './layout.js'
import type { Layout } from './layout.js'

/** A million segments are 64 TB of log. */
const DATA_FROM = 1_000_000

export function dataNumber(segment: number): number {
  return DATA_FROM + segment
}

export function isData(file: number): boolean {
  return file >= DATA_FROM
}

export function dataPath(layout: Layout, number: number, nonce: string): string {
  return `${layout.snap}/${padded(number - DATA_FROM)}.${nonce}.data`
}

export function indexPath(layout: Layout, segment: number): string {
  return `${layout.snap}/${padded(segment)}.index`
}

/** Where a file lies that an address names; `datas` says the nonces of data files. */
export function filePath(layout: Layout, file: number, datas: ReadonlyMap<number, string>): string {
  if (!isData(file)) return segmentPath(layout, file)
  return dataPath(layout, file, datas.get(file) ?? 'missing')
}

const INDEX = /^(\d{8,})\.index$/
const DATA = /^(\d{8,})\.([0-9a-z]+)\.data$/

/** The segments after which snapshots were made, falling. */
export function snapshots(disk: Disk, layout: Layout): number[] {
  const numbers: number[] = []
  for (const name of disk.list(layout.snap)) {
    const match = INDEX.exec(name)
    if (match !== null) numbers.push(Number(match[1]))
  }
  return numbers.sort((a, b) => b - a)
}

/** The data files that are there. */
export function dataFiles(
  disk: Disk,
  layout: Layout,
): { readonly number: number; readonly nonce: string }[] {
  return disk.list(layout.snap).flatMap((name) => {
    const match = DATA.exec(name)
    return match === null ? [] : [{ number: DATA_FROM + Number(match[1]), nonce: match[2] }]
  })
}

function padded(segment: number): string {
  return String(segment).padStart(8, '0')
}
