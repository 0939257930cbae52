/**
 * Which file systems keep what they promise. Known by the number that statfs gives; for an overlay
 * also by its mount options. An unknown number is taken for a local disk that keeps its word: most
 * are, and the name tells `doctor` that we do not know it.
 */
import { readFileSync, realpathSync, statfsSync } from 'node:fs'
import type { Medium } from './disk.js'

type Nature = 'disk' | 'memory' | 'overlay' | 'remote'

/** Linux: include/uapi/linux/magic.h, and the sources of those that are not listed there. */
const KNOWN = new Map<number, readonly [name: string, nature: Nature]>([
  [0xef53, ['ext4', 'disk']],
  [0x58465342, ['xfs', 'disk']],
  [0x9123683e, ['btrfs', 'disk']],
  [0xf2f52010, ['f2fs', 'disk']],
  [0x2fc12fc1, ['zfs', 'disk']],
  [0xca451a4e, ['bcachefs', 'disk']],
  [0x3153464a, ['jfs', 'disk']],
  [0x3434, ['nilfs', 'disk']],
  [0xf15f, ['ecryptfs', 'disk']],
  [0x4d44, ['vfat', 'disk']],
  [0x2011bab0, ['exfat', 'disk']],
  [0x01021994, ['tmpfs', 'memory']],
  [0x858458f6, ['ramfs', 'memory']],
  [0x958458f6, ['hugetlbfs', 'memory']],
  [0x794c7630, ['overlay', 'overlay']],
  [0x6969, ['nfs', 'remote']],
  [0x517b, ['smb', 'remote']],
  [0xff534d42, ['cifs', 'remote']],
  [0xfe534d42, ['smb2', 'remote']],
  [0x01021997, ['9p', 'remote']],
  // Every FUSE file system has this number: sshfs, s3fs, virtiofs, and local ones. None promises
  // that appends of two processes are ordered.
  [0x65735546, ['fuse', 'remote']],
  [0x786f4256, ['vboxsf', 'remote']],
  [0x00c36400, ['ceph', 'remote']],
  [0x0bd00bd0, ['lustre', 'remote']],
  [0x01161970, ['gfs2', 'remote']],
  [0x7461636f, ['ocfs2', 'remote']],
  [0x5346414f, ['afs', 'remote']],
  [0x73757245, ['coda', 'remote']],
])

/** The medium that holds an existing path. */
export function mediumOf(path: string): Medium {
  if (process.platform !== 'linux') {
    return { name: process.platform, keeps: 'power', ordersAppends: true }
  }
  const magic = statfsSync(path).type >>> 0
  const [name, nature] = KNOWN.get(magic) ?? [`unknown (0x${magic.toString(16)})`, 'disk']
  switch (nature) {
    case 'disk':
      return { name, keeps: 'power', ordersAppends: true }
    case 'memory':
      return { name, keeps: 'process', ordersAppends: true }
    case 'remote':
      return { name, keeps: 'power', ordersAppends: false }
    case 'overlay':
      return { name, keeps: isVolatile(path) ? 'process' : 'power', ordersAppends: true }
  }
}

function isVolatile(path: string): boolean {
  try {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    return hasOption(mounts, realpathSync(path), 'volatile')
  } catch {
    return false // without /proc nobody can say; an overlay is rarely volatile
  }
}

/** Whether the mount that holds `path` has an option, by the text of /proc/self/mountinfo. */
export function hasOption(mounts: string, path: string, option: string): boolean {
  let longest = -1
  let options: readonly string[] = []
  for (const line of mounts.split('\n')) {
    // id parent device root point options … - type source superOptions; proc_pid_mountinfo(5)
    const [before, after] = line.split(' - ')
    const point = before
      .split(' ')
      .at(4)
      ?.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      )
    if (point === undefined || after === undefined) continue
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`)
    // Of two mounts on one point the later one is on top.
    if (!holds || point.length < longest) continue
    longest = point.length
    options = (after.split(' ').at(2) ?? '').split(',')
  }
  return options.includes(option)
}
