/**
 * One PostgreSQL for all test files of a run. vitest runs this in its main process, which lives as long
 * as the run: the desk starts nothing until the first file asks, hands every file the same server, and
 * ends it with the run. Files make databases of their own in it (`sharedPostgres` in postgres.ts).
 * It is quick, not durable: whoever kills servers starts one of his own (`PostgresCluster`).
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { TestProject } from 'vitest/node'
import { PostgresCluster } from './cluster.mjs'

/** Where files ask; a test run without the desk has none. */
declare module 'vitest' {
  interface ProvidedContext {
    postgresDesk: number | undefined
  }
}

/** What a file is told: where its server is, or why there is none. */
export type Told = { readonly url: string } | { readonly error: string }

const QUICK = { fsync: false, full_page_writes: false, max_connections: 300 }

export default async function openDesk(project: TestProject): Promise<() => Promise<void>> {
  const clusters = new Map<string, Promise<PostgresCluster>>()
  const sockets = new Set<Socket>()
  const desk = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined) // a file that is gone wants no answer
    socket.once('close', () => sockets.delete(socket))
    createInterface(socket).once('line', (which) => {
      const cluster = clusters.get(which) ?? start(which)
      clusters.set(which, cluster)
      void answer(cluster).then((told) => socket.end(JSON.stringify(told)))
    })
  })
  desk.listen(0, '127.0.0.1').unref()
  await once(desk, 'listening')
  project.provide('postgresDesk', (desk.address() as AddressInfo).port) // as: it listens on TCP
  return async () => {
    for (const socket of sockets) socket.destroy()
    desk.close()
    const started = await Promise.allSettled(clusters.values())
    for (const one of started) if (one.status === 'fulfilled') await one.value.destroy()
  }
}

function start(which: string): Promise<PostgresCluster> {
  return PostgresCluster.create({ binaries: which === '' ? undefined : which, settings: QUICK })
}

async function answer(cluster: Promise<PostgresCluster>): Promise<Told> {
  try {
    return { url: (await cluster).url() }
  } catch (error) {
    return { error: String(error) }
  }
}
