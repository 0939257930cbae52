/**
 * What a pooler in transaction mode does to whoever relies on a session: between two transactions a
 * PostgreSQL connection loses all its state (settings, prepared statements, temporary tables, advisory
 * locks, LISTEN), by DISCARD ALL. It stands in for PgBouncer, needs nothing installed, and is stricter:
 * state is lost each time, not when another client happened to come between. It speaks as much of the
 * protocol (version 3, messages of a type, a length and a body) as that takes, and no TLS.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface ForgetfulProxy {
  readonly port: number
  /** How often state was lost. */
  readonly discards: number
  /** The same URL, by way of the proxy. */
  url(url: string): string
  close(): Promise<void>
}

const DISCARD = query('DISCARD ALL')
/** Asked in place of a start: whether there is TLS, or GSS encryption. */
const ASKS = [80_877_103, 80_877_104]
const CANCEL = 80_877_102
/** With these a client ends what it says, and waits for ReadyForQuery. */
const FULL_STOP = ['Q', 'S', 'F']
/** They belong to a COPY, in the middle of a query. */
const COPY = ['d', 'c', 'f']

export async function forgetfulProxy(to: string): Promise<ForgetfulProxy> {
  const { hostname, port } = new URL(to)
  const counts = { discards: 0 }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const behind = connect({ host: hostname, port: Number(port), noDelay: true })
    new Session(client, behind, () => counts.discards++)
    for (const [one, other] of [[client, behind] as const, [behind, client] as const]) {
      sockets.add(one)
      one.on('error', () => undefined) // its close follows
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port // as: it listens on TCP
  return {
    port: own,
    get discards() {
      return counts.discards
    },
    url(url) {
      const other = new URL(url)
      other.host = `127.0.0.1:${own}`
      return other.href
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

class Session {
  readonly #client: Socket
  readonly #server: Socket
  readonly #onDiscard: () => void
  #fromClient = Buffer.alloc(0)
  #fromServer = Buffer.alloc(0)
  #hasStarted = false
  /** ready: the client may speak; busy: it has said its full stop; discarding: the server forgets. */
  #state: 'starting' | 'ready' | 'busy' | 'discarding' = 'starting'
  /** The last transaction is over, and what it left behind is still there. */
  #isDirty = false

  constructor(client: Socket, server: Socket, onDiscard: () => void) {
    this.#client = client
    this.#server = server
    this.#onDiscard = onDiscard
    client.on('data', (bytes: Buffer) => {
      this.#fromClient = Buffer.concat([this.#fromClient, bytes])
      this.#ask()
    })
    server.on('data', (bytes: Buffer) => {
      this.#fromServer = Buffer.concat([this.#fromServer, bytes])
      this.#answer()
    })
  }

  #ask(): void {
    if (!this.#hasStarted && !this.#start()) return
    for (;;) {
      const message = first(this.#fromClient)
      if (message === null) return
      const type = message.toString('latin1', 0, 1)
      if (this.#state === 'discarding') return
      if (this.#state === 'busy' && !COPY.includes(type)) return
      if (this.#state === 'ready' && this.#isDirty && type !== 'X') return this.#discard()
      this.#fromClient = this.#fromClient.subarray(message.length)
      if (FULL_STOP.includes(type)) this.#state = 'busy'
      this.#server.write(message)
    }
  }

  /** The first message has no type. True when it has gone. */
  #start(): boolean {
    while (this.#fromClient.length >= 8) {
      const length = this.#fromClient.readInt32BE(0)
      if (this.#fromClient.length < length) return false
      const message = this.#fromClient.subarray(0, length)
      const code = message.readInt32BE(4)
      this.#fromClient = this.#fromClient.subarray(length)
      if (ASKS.includes(code)) {
        this.#client.write('N')
        continue
      }
      this.#hasStarted = code !== CANCEL
      this.#server.write(message)
      return true
    }
    return false
  }

  #discard(): void {
    this.#state = 'discarding'
    this.#onDiscard()
    this.#server.write(DISCARD)
  }

  #answer(): void {
    for (;;) {
      const message = first(this.#fromServer)
      if (message === null) return
      this.#fromServer = this.#fromServer.subarray(message.length)
      const isReady = message.toString('latin1', 0, 1) === 'Z'
      const wasDiscarding = this.#state === 'discarding'
      if (!wasDiscarding) this.#client.write(message)
      if (!isReady) continue
      this.#isDirty = !wasDiscarding && message.toString('latin1', 5, 6) === 'I'
      this.#state = 'ready'
      this.#ask()
    }
  }
}

/** The first message, if it is there as a whole. */
function first(bytes: Buffer): Buffer | null {
  if (bytes.length < 5) return null
  const length = 1 + bytes.readInt32BE(1)
  return bytes.length < length ? null : bytes.subarray(0, length)
}

function query(text: string): Buffer {
  const message = Buffer.alloc(text.length + 6)
  message.write('Q', 0, 'latin1')
  message.writeInt32BE(text.length + 5, 1)
  message.write(text, 5, 'latin1')
  return message
}
