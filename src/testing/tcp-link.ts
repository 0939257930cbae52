/**
 * One connection through the proxy: a client, the server behind it, and a lane each way. It knows
 * nothing of what is said but whose turn it is: a turn begins when the client speaks after the server
 * has, so with any protocol of questions and answers a turn is one round trip. At the beginning of a
 * turn it asks which fault the turn meets, and does it.
 */
import type { Socket } from 'node:net'
import type { Millis } from '../job/job.js'
import type { Chance, Clock } from '../time/clock.js'
import { TcpLane } from './tcp-lane.js'
import type { TcpShape } from './tcp-lane.js'

/** What a turn can meet, or a connection at any time. */
export type TcpFault =
  /** The client is reset, and the server hears nothing of what it said last. */
  | { readonly kind: 'reset-before' }
  /** The server hears it all and does it; at the first byte of its answer the client is reset. */
  | { readonly kind: 'reset-after' }
  /** Both ends believe in the connection, and nothing gets through any more: no byte, no end. */
  | { readonly kind: 'black-hole' }
  /** One end is reset, the other is not told. What began the turn the server hears before its client is lost. */
  | { readonly kind: 'half-open'; readonly lost: 'client' | 'server' }
  /** One direction ends in good order behind what was said; the other goes on. */
  | { readonly kind: 'half-closed'; readonly closed: 'to-server' | 'to-client' }
  /** What is said now, and all behind it, arrives so much later. */
  | { readonly kind: 'late'; readonly by: Millis }

/** One connection, as tests see it. */
export interface TcpLink {
  /** From 1, in the order of their coming. */
  readonly id: number
  /** How often the client spoke after the server; the first words count. */
  readonly turns: number
  readonly bytesToServer: number
  readonly bytesToClient: number
  /** For what comes from now on, both ways; null: as it comes. */
  shape(shape: TcpShape | null): void
  /** Now, in the middle of a turn or between two. `reset-after` is done at the server's next word. */
  inflict(fault: TcpFault): void
}

export interface LinkAsk {
  readonly id: number
  readonly clock: Clock
  readonly chance: Chance | undefined
  /** What the turn that begins meets. */
  readonly onTurn: () => TcpFault | null
  /** A fault came that no turn asked for. */
  readonly tell: (fault: TcpFault) => void
}

/**
 * By a reset: whoever is at the other end hears of it at once, and loses what was under way. Where it
 * is being told the end already it is let go without: Node does not reset such a socket, nor close it.
 */
export function cut(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished
  if (socket.connecting || isEnding) socket.destroy()
  else socket.resetAndDestroy()
}

export class ProxiedLink implements TcpLink {
  readonly id: number
  turns = 0
  readonly #client: Socket
  readonly #server: Socket
  readonly #toServer: TcpLane
  readonly #toClient: TcpLane
  readonly #onTurn: () => TcpFault | null
  readonly #tell: (fault: TcpFault) => void
  #spokeLast: 'client' | 'server' = 'server'
  /** The server's next word is for nobody. */
  #isCutting = false
  /** What happens at one end is no longer told at the other. */
  #isApart = false

  constructor(client: Socket, server: Socket, { id, clock, chance, onTurn, tell }: LinkAsk) {
    this.id = id
    this.#client = client
    this.#server = server
    this.#onTurn = onTurn
    this.#tell = tell
    this.#toServer = new TcpLane(client, server, clock, chance)
    this.#toClient = new TcpLane(server, client, clock, chance)
    client.on('data', (bytes: Buffer) => this.#asked(bytes))
    server.on('data', (bytes: Buffer) => this.#answered(bytes))
    this.#couple(client, server, this.#toServer)
    this.#couple(server, client, this.#toClient)
  }

  get bytesToServer(): number {
    return this.#toServer.bytes
  }

  get bytesToClient(): number {
    return this.#toClient.bytes
  }

  shape(shape: TcpShape | null): void {
    this.#toServer.shape(shape ?? {})
    this.#toClient.shape(shape ?? {})
  }

  inflict(fault: TcpFault): void {
    this.#tell(fault)
    this.#meet(fault)
  }

  /** Both ends, at once. */
  reset(): void {
    this.#apart()
    cut(this.#client)
    cut(this.#server)
  }

  /** No timer is left. */
  stop(): void {
    this.#toServer.stop()
    this.#toClient.stop()
  }

  #meet(fault: TcpFault): void {
    switch (fault.kind) {
      case 'reset-before':
        return this.reset()
      case 'reset-after':
        this.#isCutting = true
        return
      case 'black-hole':
        return this.#apart()
      case 'half-open':
        return this.#lose(fault.lost)
      case 'half-closed':
        return (fault.closed === 'to-server' ? this.#toServer : this.#toClient).end()
      case 'late':
        return this.#toServer.hold(fault.by)
    }
  }

  // ── What comes from its ends ──────────────────────────────────────────────────────────────────

  #asked(bytes: Buffer): void {
    const isTurn = this.#spokeLast === 'server'
    this.#spokeLast = 'client'
    if (this.#isApart || !isTurn) return this.#toServer.push(bytes)
    this.turns++
    const fault = this.#onTurn()
    if (fault === null) return this.#toServer.push(bytes)
    const isHeard =
      fault.kind === 'reset-after' ||
      fault.kind === 'half-closed' ||
      (fault.kind === 'half-open' && fault.lost === 'client')
    if (isHeard) this.#toServer.push(bytes)
    this.#meet(fault)
    if (!isHeard) this.#toServer.push(bytes)
  }

  #answered(bytes: Buffer): void {
    this.#spokeLast = 'server'
    if (!this.#isCutting) return this.#toClient.push(bytes)
    this.#isCutting = false
    this.#isApart = true
    this.#toClient.swallow()
    cut(this.#client)
    // In good order, so that the server comes to the end of what it was told.
    this.#toServer.end()
  }

  /** The end and the fall of `one` are told to `other`, while the two belong together. */
  #couple(one: Socket, other: Socket, lane: TcpLane): void {
    one.on('end', () => {
      if (!this.#isApart) lane.end()
    })
    one.on('error', () => undefined) // its close follows, and says all that there is to do
    one.on('close', (hadError) => {
      if (this.#isApart) return
      if (hadError) cut(other)
      else lane.end()
    })
  }

  /** What is on its way to a server that stays still gets there. */
  #lose(end: 'client' | 'server'): void {
    this.#isApart = true
    this.#toClient.swallow()
    if (end === 'server') this.#toServer.swallow()
    cut(end === 'client' ? this.#client : this.#server)
  }

  #apart(): void {
    this.#isApart = true
    this.#toServer.swallow()
    this.#toClient.swallow()
  }
}
