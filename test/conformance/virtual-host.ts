import type { Host } from '../../src/disk/host.js'
import type { VirtualClock } from '../../src/time/virtual.js'

/** A host on virtual time, of which nobody can tell who is dead. */
export function virtualHost(clock: VirtualClock): Host {
  return {
    boot: 'virtual',
    up: () => clock.mono(),
    wall: () => clock.wall(),
    proof: null,
    liveness: () => 'alive',
  }
}
