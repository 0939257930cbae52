/** Whether a folder may be kept by this process, and why not. */
import type { Disk } from '../../disk/disk.js'
import { millraceError } from '../../job/errors.js'
import type { KeeperCard } from './keeper.js'
import type { Layout } from './layout.js'

interface Judged {
  readonly disk: Disk
  readonly layout: Layout
  readonly durability: 'power' | 'process'
}

/** Refuses what is shared between hosts. Answers what is to be told of one that survives less than was asked. */
export function judgeMedium({ disk, layout, durability }: Judged): string | null {
  const { name, keeps, ordersAppends } = disk.medium(layout.root)
  if (!ordersAppends) {
    throw millraceError({
      code: 'STORE_UNREACHABLE',
      subject: layout.root,
      expected: 'a local file system: who keeps a maildir is told by processes of one host',
      received: name,
      remedy: 'use a folder on a local disk',
    })
  }
  if (keeps !== 'process' || durability !== 'power') return null
  return `${layout.root} is on ${name}: its jobs survive a crash of the process, not of the host`
}

export function kept(scope: string, { host, pid }: KeeperCard): Error {
  return millraceError({
    code: 'STORE_UNREACHABLE',
    subject: scope,
    expected: 'to become its keeper',
    received: `another process that keeps it: pid ${pid} on ${host}`,
    remedy: 'one process at a time keeps a maildir; stop that one, or wait for its end',
  })
}
