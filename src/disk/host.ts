/**
 * What the host can tell: a clock that all its processes share, and whether a process is alive.
 * The clock counts suspended time (/proc/uptime, in steps of 10 ms, smoothed by the monotonic
 * clock), so that a lease does not outlive a night with the lid closed. A process is named by boot,
 * pid namespace, pid and start time, so that a pid that was used again is not taken for it.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Liveness } from '../job/book/decide-sweep.js'
import { hostMono, systemClock } from '../time/system.js'

export interface Host {
  /** Names the host's last start; clocks of two boots cannot be compared. */
  readonly boot: string
  /** Milliseconds since then, suspended time included. */
  up(): number
  /** Milliseconds since the Unix epoch. */
  wall(): number
  /** Names this process, for `liveness` in another one; null where nothing can be proved. */
  readonly proof: string | null
  liveness(proof: string | null | undefined): Liveness
}

/** Smaller jumps are the coarseness of /proc/uptime, or somebody slewing the wall's clock. */
const SUSPENDED_LEAST = 50

export function realHost(): Host {
  const boot = read('/proc/sys/kernel/random/boot_id') ?? `${hostname()}-unknown-boot`
  const namespace = link('/proc/self/ns/pid') ?? 'pid'
  let suspended = 0
  let parted: number | null = null
  const up = (): number => {
    const mono = hostMono()
    // A suspended host's wall runs on while its monotonic clock stands, so only a jump between the
    // two is a reason to ask the system: an idle process asks nothing.
    const apart = systemClock.wall() - mono
    if (parted === null || Math.abs(apart - parted) > SUSPENDED_LEAST) {
      const uptime = Number(read('/proc/uptime')?.split(' ')[0] ?? Number.NaN) * 1000
      const more = uptime - mono - suspended
      if (more > SUSPENDED_LEAST) suspended += more
    }
    parted = apart
    return mono + suspended
  }
  const started = startOf(process.pid)
  const proof = started === null ? null : `${boot} ${namespace} ${process.pid} ${started}`
  const liveness = (of: string | null | undefined): Liveness => {
    if (of == null || proof === null) return 'unknown'
    const [itsBoot, itsNamespace, pid, itsStart] = of.split(' ')
    if (itsBoot !== boot) return 'dead'
    if (itsNamespace !== namespace) return 'unknown'
    return startOf(Number(pid)) === itsStart ? 'alive' : 'dead'
  }
  return { boot, up, wall: () => systemClock.wall(), proof, liveness }
}

/** When a process was started, in the kernel's ticks; null when there is none, or it is a zombie. */
function startOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === null) return null
  // The second field is the program's name in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19]
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null // not Linux, or no such process: the caller says what that means
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null // not Linux: the caller says what that means
  }
}
