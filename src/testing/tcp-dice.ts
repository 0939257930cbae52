/**
 * How the TCP proxy reads what it is given: where the server is, how often which fault comes; and how
 * its dice fall.
 */
import { invalid } from '../job/check.js'
import type { Millis } from '../job/job.js'
import type { Chance } from '../time/clock.js'
import type { TcpFault } from './tcp-link.js'

/** How often each fault comes, by the moment at which it comes. */
export interface TcpRates {
  readonly connect?: Readonly<Partial<Record<'refuse' | 'black-hole' | 'late', number>>>
  readonly turn?: Readonly<Partial<Record<TcpFault['kind'], number>>>
}

type Address = { readonly host: string; readonly port: number }

/** Where the usual servers listen when their URL does not say. */
const PORTS: Readonly<Record<string, number>> = {
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
}

export function addressOf(to: string | number | Address): Address {
  if (typeof to === 'number') return { host: '127.0.0.1', port: to }
  if (typeof to === 'object') return to
  const url = URL.canParse(to) ? new URL(to) : null
  const port = url === null ? undefined : Number(url.port) || PORTS[url.protocol]
  if (url === null || url.hostname === '' || port === undefined) {
    throw invalid('tcpProxy.to', "a server's URL with its port", to, 'write scheme://host:port')
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

/** Refuses rates that are no odds, and rates without dice. */
export function sureOf({ rates = {}, chance }: { rates?: TcpRates; chance?: Chance }): void {
  for (const [moment, odds] of [
    ['connect', rates.connect],
    ['turn', rates.turn],
  ] as const) {
    const all = Object.values(odds ?? {})
    const sum = all.reduce((total, rate) => total + rate, 0)
    if (all.some((rate) => !(rate >= 0)) || sum > 1)
      throw invalid(`tcpProxy.rates.${moment}`, 'rates from 0 to 1, together at most 1', sum)
    if (sum > 0 && chance === undefined)
      throw invalid('tcpProxy.chance', 'dice for the rates', chance, 'hand in seededChance(seed)')
  }
}

export function throwConnect(
  chance: Chance | undefined,
  odds: TcpRates['connect'],
  lateness: Millis,
): { kind: 'refuse' } | { kind: 'black-hole' } | { kind: 'late'; by: Millis } | null {
  if (chance === undefined || odds === undefined) return null
  const falls = dice(chance)
  if (falls(odds.refuse)) return { kind: 'refuse' }
  if (falls(odds['black-hole'])) return { kind: 'black-hole' }
  if (falls(odds.late)) return { kind: 'late', by: chance.next() * lateness }
  return null
}

export function throwTurn(
  chance: Chance | undefined,
  odds: TcpRates['turn'],
  lateness: Millis,
): TcpFault | null {
  if (chance === undefined || odds === undefined) return null
  const falls = dice(chance)
  const heads = (): boolean => chance.next() < 0.5
  if (falls(odds['reset-before'])) return { kind: 'reset-before' }
  if (falls(odds['reset-after'])) return { kind: 'reset-after' }
  if (falls(odds['black-hole'])) return { kind: 'black-hole' }
  if (falls(odds['half-open'])) return { kind: 'half-open', lost: heads() ? 'client' : 'server' }
  if (falls(odds['half-closed']))
    return { kind: 'half-closed', closed: heads() ? 'to-server' : 'to-client' }
  if (falls(odds.late)) return { kind: 'late', by: chance.next() * lateness }
  return null
}

/** One throw for all faults of a moment: they are told apart by where it fell. */
function dice(chance: Chance): (rate?: number) => boolean {
  let rest = chance.next()
  return (rate = 0) => (rest -= rate) < 0
}
