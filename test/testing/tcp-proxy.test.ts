// The proxy does to connections what it is told, and nothing else. The server here keeps every line that
// it hears and answers each; so what was executed and what was answered are seen apart.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededChance, tcpProxy, VirtualClock } from 'millrace/testing'
import type { TcpProxy, TcpProxyOptions } from 'millrace/testing'
import { Clerk, Client } from './ends.js'

let clerk: Clerk
let proxy: TcpProxy
const clients: Client[] = []

beforeEach(async () => {
  clerk = await Clerk.start()
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy()
  await proxy.close()
  await clerk.stop()
})

async function through(options: Partial<TcpProxyOptions> = {}): Promise<void> {
  proxy = await tcpProxy({ to: clerk.port, ...options })
}

function newClient(): Client {
  const client = new Client(proxy.port)
  clients.push(client)
  return client
}

/** Several turns of the loop, in which whatever could come has come. */
async function rest(clock: VirtualClock): Promise<void> {
  await clock.advance(0)
  await newClient().ask('rest')
  await clock.advance(0)
}

describe('a proxy that is told nothing', () => {
  it('hands on what is said, both ways, and its end', async () => {
    await through()
    const client = newClient()
    expect(await client.ask('a')).toBe('did a')
    expect(await client.ask('b')).toBe('did b')
    client.socket.end()
    await clerk.until(() => clerk.ends[0] === 'end')
    expect(proxy.injected).toEqual([])
    expect(proxy.counts).toMatchObject({ connections: 1, turns: 2, bytesToServer: 4 })
    expect(proxy.counts.bytesToClient).toBe('did a\ndid b\n'.length)
  })

  it('hands on a million bytes unchanged to one who is slow to read', async () => {
    await through()
    const client = newClient()
    await client.ask('hello')
    client.socket.pause()
    const text = Array.from({ length: 100_000 }, (_, n) => `line ${n}\n`).join('')
    clerk.shout(text)
    client.socket.resume()
    await client.until(() => client.text.length === 'did hello\n'.length + text.length)
    expect(client.text).toBe(`did hello\n${text}`)
  })

  it('tells a client when the server is not there', async () => {
    await through()
    await clerk.stop()
    expect(await newClient().ended()).toBe('ECONNRESET')
    expect(proxy.counts.unreachable).toBe(1)
  })

  it('tells each end when the other was reset', async () => {
    await through()
    const client = newClient()
    await client.ask('a')
    client.socket.resetAndDestroy()
    await clerk.until(() => clerk.ends[0] === 'reset')
    const other = newClient()
    await other.ask('b')
    await clerk.stop()
    expect(['end', 'ECONNRESET']).toContain(await other.ended())
  })

  it('writes URLs that go through it', async () => {
    await through()
    expect(proxy.url('postgres://ada:pw@db.example.com:5433/shop?sslmode=disable')).toBe(
      `postgres://ada:pw@127.0.0.1:${proxy.port}/shop?sslmode=disable`,
    )
    expect(proxy.url('redis://db.example.com/2')).toBe(`redis://127.0.0.1:${proxy.port}/2`)
  })
})

describe('a client who connects', () => {
  it('is refused as often as the script says, and the server hears nothing of it', async () => {
    await through()
    proxy.script('connect', { kind: 'refuse' }, null, { kind: 'refuse' })
    expect(await newClient().ended()).toBe('ECONNRESET')
    expect(await newClient().ask('a')).toBe('did a')
    expect(await newClient().ended()).toBe('ECONNRESET')
    expect(await newClient().ask('b')).toBe('did b')
    expect(clerk.ends).toHaveLength(2)
    expect(proxy.injected.map(({ moment, link }) => [moment, link])).toEqual([
      ['connect', 1],
      ['connect', 3],
    ])
  })

  it('is refused each time until that is taken back', async () => {
    await through()
    proxy.always('connect', { kind: 'refuse' })
    for (let n = 0; n < 3; n++) expect(await newClient().ended()).toBe('ECONNRESET')
    proxy.always('connect', null)
    expect(await newClient().ask('a')).toBe('did a')
  })

  it('finds nobody listening while the proxy is down, and the same port when it is up', async () => {
    await through()
    const open = newClient()
    await open.ask('a')
    await proxy.down()
    expect(await open.ended()).toBe('ECONNRESET')
    expect(await newClient().ended()).toBe('ECONNREFUSED')
    const { port } = proxy
    await proxy.up()
    expect(proxy.port).toBe(port)
    expect(await newClient().ask('b')).toBe('did b')
  })

  it('waits, and what it said with it', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    proxy.script('connect', { kind: 'late', by: 300 })
    const client = newClient()
    const answer = client.ask('a')
    await proxy.met('late')
    await clock.advance(299)
    expect(clerk.ends).toEqual([])
    await clock.advance(1)
    expect(await answer).toBe('did a')
  })

  it('goes to another server from now on', async () => {
    await through()
    const other = await Clerk.start()
    const old = newClient()
    await old.ask('a')
    proxy.redirect(`tcp://127.0.0.1:${other.port}`)
    await newClient().ask('b')
    await old.ask('c')
    expect([clerk.executed, other.executed]).toEqual([['a', 'c'], ['b']])
    await other.stop()
  })
})

describe('a turn', () => {
  it('is reset before the server heard of it', async () => {
    await through()
    const client = newClient()
    proxy.script('turn', null, { kind: 'reset-before' })
    await client.ask('a')
    client.say('b')
    expect(await client.ended()).toBe('ECONNRESET')
    await clerk.until(() => clerk.ends[0] === 'reset')
    expect(clerk.executed).toEqual(['a'])
  })

  it('is reset after the server did it, and the answer is lost', async () => {
    await through()
    const client = newClient()
    proxy.script('turn', null, { kind: 'reset-after' })
    await client.ask('a')
    client.say('b')
    expect(await client.ended()).toBe('ECONNRESET')
    expect(clerk.executed).toEqual(['a', 'b'])
    expect(client.text).toBe('did a\n')
    await clerk.until(() => clerk.ends[0] === 'end')
  })

  it('falls into a hole: nobody hears anything, not even the end', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const client = newClient()
    proxy.script('turn', null, { kind: 'black-hole' })
    await client.ask('a')
    client.say('b')
    await proxy.met('black-hole')
    clerk.shout('anybody there?\n')
    client.socket.end()
    await rest(clock)
    expect(clerk.executed).toEqual(['a', 'rest'])
    expect([client.text, client.end, clerk.ends[0]]).toEqual(['did a\n', 'open', 'open'])
  })

  it('loses its client, and the server believes that he is there', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const client = newClient()
    proxy.script('turn', { kind: 'half-open', lost: 'client' })
    client.say('a')
    expect(await client.ended()).toBe('ECONNRESET')
    await clerk.until(() => clerk.executed.length > 0)
    await rest(clock)
    expect([clerk.executed[0], clerk.ends[0], client.text]).toEqual(['a', 'open', ''])
  })

  it('loses its client, and what was on its way still arrives', async () => {
    const clock = new VirtualClock()
    await through({ clock, shape: { latency: 100 } })
    const client = newClient()
    proxy.script('turn', { kind: 'half-open', lost: 'client' })
    client.say('a')
    expect(await client.ended()).toBe('ECONNRESET')
    expect(clerk.executed).toEqual([])
    await clock.advance(100)
    await clerk.until(() => clerk.executed.length > 0)
    expect([clerk.executed, clerk.ends]).toEqual([['a'], ['open']])
  })

  it('loses its server, and the client believes that it is there', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const client = newClient()
    await client.ask('a')
    proxy.inflict({ kind: 'half-open', lost: 'server' })
    await clerk.until(() => clerk.ends[0] === 'reset')
    client.say('b')
    await rest(clock)
    expect([client.end, client.text]).toEqual(['open', 'did a\n'])
    expect(clerk.executed).not.toContain('b')
  })

  it('closes the way to the server, and the answers still come', async () => {
    await through()
    const client = newClient()
    proxy.script('turn', { kind: 'half-closed', closed: 'to-server' })
    expect(await client.ask('a')).toBe('did a')
    await clerk.until(() => clerk.ends[0] === 'end')
    client.say('b')
    clerk.shout('still here\n')
    await client.until(() => client.text.includes('still here\n'))
    expect(clerk.executed).toEqual(['a'])
  })

  it('closes the way to the client, and the server still hears', async () => {
    await through()
    const client = newClient()
    proxy.script('turn', { kind: 'half-closed', closed: 'to-client' })
    client.say('a')
    expect(await client.ended()).toBe('end')
    client.say('b')
    await clerk.until(() => clerk.executed.length === 2)
    expect(client.text).toBe('')
  })

  it('comes late, and all behind it', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const client = newClient()
    proxy.script('turn', { kind: 'late', by: 500 })
    client.say('a')
    await proxy.met('late')
    client.say('b')
    await clock.advance(499)
    await rest(clock)
    expect(clerk.executed).toEqual(['rest'])
    await clock.advance(1)
    await clerk.until(() => clerk.executed.length === 3)
    expect(clerk.executed).toEqual(['rest', 'a', 'b'])
  })
})

describe('bytes on their way', () => {
  it('are late both ways', async () => {
    const clock = new VirtualClock()
    await through({ clock, shape: { latency: 100 } })
    const client = newClient()
    const answer = client.ask('a')
    await until(() => proxy.counts.turns === 1)
    await clock.advance(99)
    expect(clerk.executed).toEqual([])
    await clock.advance(1)
    await clerk.until(() => clerk.executed.length === 1)
    await until(() => clock.untilNext() !== null)
    await clock.advance(100)
    expect(await answer).toBe('did a')
  })

  it('keep their order though each is thrown its own latency', async () => {
    const clock = new VirtualClock()
    await through({ clock, chance: seededChance(7), shape: { latency: [0, 1_000], chunk: 3 } })
    const client = newClient()
    const lines = Array.from({ length: 20 }, (_, n) => `line ${n}`)
    for (const line of lines) client.say(line)
    await until(() => proxy.counts.turns === 1)
    while (clerk.executed.length < lines.length) await clock.advance(100)
    expect(clerk.executed).toEqual(lines)
  })

  it('come one by one', async () => {
    await through({ shape: { chunk: 1 } })
    const client = newClient()
    expect(await client.ask('abc')).toBe('did abc')
    expect(client.heard.length).toBeGreaterThan(1)
    expect(client.text).toBe('did abc\n')
  })

  it('come no faster than so many a second', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const client = newClient()
    await client.ask('a')
    proxy.shape({ bytesPerSecond: 100 })
    client.say('x'.repeat(199))
    await until(() => clock.untilNext() !== null)
    await clock.advance(1_000)
    expect(proxy.counts.bytesToServer - 2).toBe(100)
    await clock.advance(1_000)
    expect(proxy.counts.bytesToServer - 2).toBe(200)
    await clerk.until(() => clerk.executed.length === 2)
  })

  it('are shaped on the open connections, on new ones, or on all', async () => {
    const clock = new VirtualClock()
    await through({ clock })
    const [open, plain] = [newClient(), newClient()]
    await open.ask('a')
    await plain.ask('b')
    proxy.links[0]?.shape({ latency: 50 })
    proxy.shape({ latency: 80 }, 'new')
    expect(await plain.ask('c')).toBe('did c')
    const late = newClient()
    open.say('d')
    late.say('e')
    await until(() => proxy.counts.turns === 5)
    await clock.advance(50)
    await clerk.until(() => clerk.executed.includes('d'))
    expect(clerk.executed).not.toContain('e')
    await clock.advance(30)
    await clerk.until(() => clerk.executed.includes('e'))
    proxy.heal()
    expect(await plain.ask('f')).toBe('did f')
    expect(await newClient().ask('g')).toBe('did g')
  })
})

describe('the dice', () => {
  const rates = { connect: { refuse: 0.3 }, turn: { 'reset-before': 0.2, 'reset-after': 0.2 } }

  async function play(seed: number): Promise<readonly string[]> {
    await through({ chance: seededChance(seed), rates })
    for (let n = 0; n < 40; n++) {
      const client = newClient()
      for (const line of ['a', 'b', 'c']) {
        if (client.end !== 'open') break
        client.say(line)
        const answers = client.text.length
        const more = client.until(() => client.text.length > answers).catch(() => undefined)
        await Promise.race([more, client.ended()])
      }
      client.socket.destroy()
    }
    const told = proxy.injected.map(({ moment, fault }) => `${moment} ${fault.kind}`)
    await proxy.close()
    return told
  }

  it('fall the same way from the same seed, and every fault comes', async () => {
    const first = await play(5)
    expect(await play(5)).toEqual(first)
    expect(await play(6)).not.toEqual(first)
    expect(new Set(first)).toEqual(
      new Set(['connect refuse', 'turn reset-before', 'turn reset-after']),
    )
  })

  it('are asked no more when it was healed', async () => {
    await through({ chance: seededChance(1), rates: { turn: { 'reset-before': 1 } } })
    const client = newClient()
    client.say('a')
    expect(await client.ended()).toBe('ECONNRESET')
    proxy.heal()
    expect(await newClient().ask('b')).toBe('did b')
  })
})

describe('a proxy that is closed', () => {
  it('leaves no connection and no timer', async () => {
    const clock = new VirtualClock()
    await through({ clock, shape: { latency: 1_000 } })
    const clientsOfIt = [newClient(), newClient()]
    for (const client of clientsOfIt) client.say('never heard')
    await until(() => proxy.counts.turns === 2)
    proxy.inflict({ kind: 'black-hole' })
    const third = newClient()
    third.say('never heard')
    await until(() => proxy.counts.turns === 3)
    await proxy.close()
    await proxy.close()
    expect(proxy.links).toEqual([])
    expect(clock.untilNext()).toBe(null)
    for (const client of clients) expect(await client.ended()).toBe('ECONNRESET')
    expect(clerk.executed).toEqual([])
  })

  it.each(['to-server', 'to-client'] as const)(
    'comes to its end while the end of a stream is told (%s)',
    async (closed) => {
      await through()
      await newClient().ask('a')
      proxy.inflict({ kind: 'half-closed', closed })
      await proxy.close()
      expect(proxy.links).toEqual([])
    },
  )
})

describe('options of a proxy', () => {
  it.each([
    ['an address without a port', { to: 'http://db.example.com' }, 'tcpProxy.to'],
    ['a word', { to: 'here' }, 'tcpProxy.to'],
    ['rates without dice', { to: 1, rates: { turn: { late: 0.1 } } }, 'tcpProxy.chance'],
    [
      'rates above 1',
      { to: 1, chance: seededChance(1), rates: { turn: { late: 0.6, 'half-open': 0.6 } } },
      'tcpProxy.rates.turn',
    ],
    ['a spread without dice', { to: 1, shape: { latency: [1, 2] } }, 'tcpProxy.shape.latency'],
    ['no bytes', { to: 1, shape: { chunk: 0 } }, 'tcpProxy.shape.chunk'],
    ['no speed', { to: 1, shape: { bytesPerSecond: 0 } }, 'tcpProxy.shape.bytesPerSecond'],
  ] as [string, TcpProxyOptions, string][])('refuse %s', async (_, options, subject) => {
    await through()
    await expect(tcpProxy(options)).rejects.toMatchObject({ code: 'OPTION_INVALID', subject })
  })
})

/** Of what the proxy counts nobody is told: it is looked at in every turn of the loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
