/**
 * A small TCP proxy that spoils connections on demand, for tests of whatever speaks to a server: it
 * refuses, resets before or after the server has heard, swallows, delays, dribbles, and leaves one end
 * in the belief that the other is there. Faults come from a script, or each time, or from seeded dice,
 * at two moments: when a client connects, and when a turn begins (see tcp-link.ts). How bytes travel is
 * told for new connections and for those that are open. It counts what it did, and closes cleanly.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { invalid } from '../job/check.js'
import type { Millis } from '../job/job.js'
import type { Chance, Clock } from '../time/clock.js'
import { systemClock } from '../time/system.js'
import { addressOf, sureOf, throwConnect, throwTurn } from './tcp-dice.js'
import type { TcpRates } from './tcp-dice.js'
import type { TcpShape } from './tcp-lane.js'
import { cut, ProxiedLink } from './tcp-link.js'
import type { TcpFault, TcpLink } from './tcp-link.js'

/** What a client meets when it connects. */
export type TcpConnectFault =
  /** Accepted and reset at once; the server hears nothing. */
  | { readonly kind: 'refuse' }
  /** Accepted, and nothing ever comes. */
  | { readonly kind: 'black-hole' }
  /** The server is asked only so much later; what the client says meanwhile waits. */
  | { readonly kind: 'late'; readonly by: Millis }

export interface TcpProxyOptions {
  /** The server: its URL, or a port of this host, or both parts. */
  readonly to: string | number | { readonly host: string; readonly port: number }
  /** On which what is late waits [the system's]. */
  readonly clock?: Clock
  /** The dice; without them only scripted faults come. */
  readonly chance?: Chance
  /** How often which fault comes, from 0 to 1; together at most 1 for each moment [none]. */
  readonly rates?: TcpRates
  /** How late at most the thrown ones are, in milliseconds [1000]. */
  readonly lateness?: Millis
  /** How bytes travel from the beginning [as they come]. */
  readonly shape?: TcpShape
}

/** A fault that came. */
export interface InjectedTcpFault {
  readonly moment: 'connect' | 'turn' | 'inflicted'
  /** The connection's id. */
  readonly link: number
  readonly fault: TcpConnectFault | TcpFault
}

export interface TcpCounts {
  /** Clients that came, refused ones too. */
  readonly connections: number
  /** Of these the server could not be reached for so many; they were reset. */
  readonly unreachable: number
  readonly turns: number
  readonly bytesToServer: number
  readonly bytesToClient: number
}

export interface TcpProxy {
  readonly host: string
  readonly port: number
  readonly counts: TcpCounts
  /** All faults that came, in order. */
  readonly injected: readonly InjectedTcpFault[]
  /** The connections that are open, oldest first. */
  readonly links: readonly TcpLink[]
  /** The same URL, by way of the proxy. */
  url(url: string): string
  /** What the next clients, or the next turns of any connection, meet, one each; null: nothing. */
  script(moment: 'connect', ...faults: readonly (TcpConnectFault | null)[]): void
  script(moment: 'turn', ...faults: readonly (TcpFault | null)[]): void
  /** What each meets from now on that finds the script empty; null: nothing, or what dice say. */
  always(moment: 'connect', fault: TcpConnectFault | null): void
  always(moment: 'turn', fault: TcpFault | null): void
  /** What all open connections meet now. */
  inflict(fault: TcpFault): void
  /** How bytes travel from now on, on all connections, the open ones or those to come ['all']. */
  shape(shape: TcpShape | null, of?: 'all' | 'open' | 'new'): void
  /** The next fault of this kind, when it comes. */
  met(kind: (TcpConnectFault | TcpFault)['kind']): Promise<InjectedTcpFault>
  /** New connections go there. */
  redirect(to: TcpProxyOptions['to']): void
  /** Nobody listens any more: clients get ECONNREFUSED. Open connections are reset. */
  down(): Promise<void>
  /** Listens again, on the same port. */
  up(): Promise<void>
  /** No more faults from now on, no shape; what is spoilt stays spoilt. */
  heal(): void
  /** Ends all connections, and stops listening. Harmless when it has been closed. */
  close(): Promise<void>
}

/** Listens on a port of 127.0.0.1 that is free. Throws OPTION_INVALID. */
export async function tcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = new SpoilingProxy(options)
  await proxy.up()
  return proxy
}

const HOST = '127.0.0.1'
const LATENESS: Millis = 1_000

interface Awaited {
  readonly kind: string
  readonly resolve: (met: InjectedTcpFault) => void
}

class SpoilingProxy implements TcpProxy {
  readonly host = HOST
  port = 0
  readonly injected: InjectedTcpFault[] = []
  readonly #options: TcpProxyOptions
  readonly #clock: Clock
  #to: { readonly host: string; readonly port: number }
  #server: Server | null = null
  readonly #sockets = new Set<Socket>()
  readonly #links = new Map<Socket, ProxiedLink>()
  readonly #connects: (TcpConnectFault | null)[] = []
  readonly #turns: (TcpFault | null)[] = []
  #everyConnect: TcpConnectFault | null = null
  #everyTurn: TcpFault | null = null
  readonly #awaited = new Set<Awaited>()
  #shape: TcpShape
  #isWell = false
  #connections = 0
  #unreachable = 0
  /** Of connections that are closed. */
  #past = { turns: 0, bytesToServer: 0, bytesToClient: 0 }

  constructor(options: TcpProxyOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#to = addressOf(options.to)
    this.#shape = this.#fit(options.shape ?? {})
    sureOf(options)
  }

  get links(): readonly TcpLink[] {
    return [...this.#links.values()]
  }

  get counts(): TcpCounts {
    const sum = { ...this.#past }
    for (const link of this.#links.values()) add(sum, link)
    return { connections: this.#connections, unreachable: this.#unreachable, ...sum }
  }

  url(url: string): string {
    const other = new URL(url)
    other.hostname = HOST
    other.port = String(this.port)
    return other.href
  }

  // ── What is to come ───────────────────────────────────────────────────────────────────────────

  script(moment: 'connect' | 'turn', ...faults: readonly (TcpConnectFault | TcpFault | null)[]) {
    if (moment === 'connect')
      this.#connects.push(...(faults as (TcpConnectFault | null)[])) // as: overloads
    else this.#turns.push(...(faults as (TcpFault | null)[])) // as: overloads
  }

  always(moment: 'connect' | 'turn', fault: TcpConnectFault | TcpFault | null): void {
    if (moment === 'connect')
      this.#everyConnect = fault as TcpConnectFault | null // as: overloads
    else this.#everyTurn = fault as TcpFault | null // as: overloads
  }

  inflict(fault: TcpFault): void {
    for (const link of this.#links.values()) link.inflict(fault)
  }

  shape(shape: TcpShape | null, of: 'all' | 'open' | 'new' = 'all'): void {
    const fitting = this.#fit(shape ?? {})
    if (of !== 'open') this.#shape = fitting
    if (of !== 'new') for (const link of this.#links.values()) link.shape(fitting)
  }

  met(kind: string): Promise<InjectedTcpFault> {
    return new Promise((resolve) => this.#awaited.add({ kind, resolve }))
  }

  redirect(to: TcpProxyOptions['to']): void {
    this.#to = addressOf(to)
  }

  heal(): void {
    this.#isWell = true
    this.shape(null)
  }

  // ── Its life ──────────────────────────────────────────────────────────────────────────────────

  async up(): Promise<void> {
    if (this.#server !== null) return
    const words = { allowHalfOpen: true, noDelay: true }
    const server = createServer(words, (client) => this.#accept(client))
    this.#server = server
    server.listen(this.port, HOST)
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port // as: it listens on TCP
  }

  async down(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.close()
    for (const link of this.#links.values()) link.reset()
    const closing = [...this.#sockets].map((socket) => once(socket, 'close'))
    for (const socket of this.#sockets) cut(socket)
    await Promise.all([once(server, 'close'), ...closing])
  }

  async close(): Promise<void> {
    await this.down()
    this.#awaited.clear()
  }

  // ── A client comes ────────────────────────────────────────────────────────────────────────────

  #accept(client: Socket): void {
    const id = ++this.#connections
    this.#keep(client)
    client.on('error', () => undefined) // who resets what we spoil does no harm
    const fault = this.#connectFault()
    if (fault !== null) this.#tell({ moment: 'connect', link: id, fault })
    switch (fault?.kind) {
      case undefined:
        return this.#connect(client, id)
      case 'refuse':
        cut(client)
        return
      case 'black-hole':
        client.resume()
        return
      case 'late': {
        const timer = this.#clock.after(fault.by, () => this.#connect(client, id))
        client.once('close', () => timer.cancel())
        return
      }
    }
  }

  #connect(client: Socket, id: number): void {
    const server = connect({ ...this.#to, allowHalfOpen: true, noDelay: true })
    this.#keep(server)
    let isThere = false
    server.once('connect', () => (isThere = true))
    server.once('close', () => {
      if (!isThere && !client.destroyed) this.#unreachable++
    })
    const { chance } = this.#options
    const onTurn = (): TcpFault | null => this.#turnFault(id)
    const tell = (fault: TcpFault): void => this.#tell({ moment: 'inflicted', link: id, fault })
    const link = new ProxiedLink(client, server, { id, clock: this.#clock, chance, onTurn, tell })
    link.shape(this.#shape)
    this.#links.set(client, link)
    let open = 2
    const closed = (): void => {
      if (--open > 0) return
      link.stop()
      this.#links.delete(client)
      add(this.#past, link)
    }
    client.once('close', closed)
    server.once('close', closed)
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  // ── Which fault comes ─────────────────────────────────────────────────────────────────────────

  #connectFault(): TcpConnectFault | null {
    if (this.#isWell) return null
    const scripted = this.#connects.shift()
    if (scripted !== undefined) return scripted
    const { chance, rates, lateness = LATENESS } = this.#options
    return this.#everyConnect ?? throwConnect(chance, rates?.connect, lateness)
  }

  #turnFault(link: number): TcpFault | null {
    if (this.#isWell) return null
    const { chance, rates, lateness = LATENESS } = this.#options
    const scripted = this.#turns.shift()
    const fault =
      scripted === undefined
        ? (this.#everyTurn ?? throwTurn(chance, rates?.turn, lateness))
        : scripted
    if (fault !== null) this.#tell({ moment: 'turn', link, fault })
    return fault
  }

  #tell(met: InjectedTcpFault): void {
    this.injected.push(met)
    for (const one of this.#awaited) {
      if (one.kind !== met.fault.kind) continue
      this.#awaited.delete(one)
      one.resolve(met)
    }
  }

  #fit(shape: TcpShape): TcpShape {
    const { latency, chunk, bytesPerSecond } = shape
    if (typeof latency === 'object' && this.#options.chance === undefined) {
      const remedy = 'hand in a chance, or name one latency'
      throw invalid('tcpProxy.shape.latency', 'dice for a latency between two', latency, remedy)
    }
    if (chunk !== undefined && !(chunk >= 1))
      throw invalid('tcpProxy.shape.chunk', 'a number of bytes from 1', chunk)
    if (bytesPerSecond !== undefined && !(bytesPerSecond > 0))
      throw invalid('tcpProxy.shape.bytesPerSecond', 'a number above 0', bytesPerSecond)
    return shape
  }
}

function add(
  sum: { turns: number; bytesToServer: number; bytesToClient: number },
  link: TcpLink,
): void {
  sum.turns += link.turns
  sum.bytesToServer += link.bytesToServer
  sum.bytesToClient += link.bytesToClient
}
