/**
 * Two plain ends of a connection for tests of what is between them: a server that keeps and answers
 * lines, and a client that keeps what it hears. Both say how their connections ended.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** Keeps lines, answers each; tells what becomes of its connections. */
export class Clerk {
  readonly executed: string[] = []
  /** How each connection ended: 'end' in good order, 'reset', or 'open'. */
  readonly ends: string[] = []
  #port = 0
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()
  #watchers: (() => void)[] = []

  static async start(): Promise<Clerk> {
    const clerk = new Clerk()
    clerk.#server.listen(0, '127.0.0.1')
    await once(clerk.#server, 'listening')
    clerk.#port = (clerk.#server.address() as AddressInfo).port // as: it listens on TCP
    return clerk
  }

  get port(): number {
    return this.#port
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    const at = this.ends.push('open') - 1
    const ended = (how: string) => () => {
      if (this.ends[at] === 'open') this.ends[at] = how
      this.#changed()
    }
    socket.on('end', ended('end'))
    socket.on('error', ended('reset'))
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        this.executed.push(line)
        if (socket.writable) socket.write(`did ${line}\n`)
      }
      this.#changed()
    })
  }

  /** Says something to everybody unasked. */
  shout(text: string): void {
    for (const socket of this.#sockets) socket.write(text)
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#watchers.push(resolve))
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher()
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }
}

/** A client that keeps what it hears, piece by piece, and how its connection ended. */
export class Client {
  readonly heard: string[] = []
  end = 'open'
  readonly socket: Socket
  #watchers: (() => void)[] = []

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.socket.on('data', (bytes: Buffer) => {
      this.heard.push(bytes.toString('latin1'))
      this.#changed()
    })
    this.socket.on('end', () => this.#ended('end'))
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? 'error'))
  }

  get text(): string {
    return this.heard.join('')
  }

  say(line: string): void {
    this.socket.write(`${line}\n`)
  }

  async ask(line: string): Promise<string> {
    const from = this.text.length
    this.say(line)
    await this.until(() => this.text.slice(from).endsWith('\n'))
    return this.text.slice(from).trim()
  }

  /** Rejects when the connection ends before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.end !== 'open') throw new Error(`the connection ended by ${this.end}`)
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
    }
  }

  async ended(): Promise<string> {
    while (this.end === 'open') await new Promise<void>((resolve) => this.#watchers.push(resolve))
    return this.end
  }

  #ended(how: string): void {
    if (this.end === 'open') this.end = how
    this.#changed()
  }

  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher()
  }
}
