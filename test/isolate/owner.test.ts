// The process that owns isolates: when it is killed they end, and when it has stopped it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { atEnd, built, lifeline, module } from './harness.js'
import type { Deed, Kind } from './harness.js'

interface Owner {
  readonly kind: Kind
  readonly how: 'stay' | 'stop' | 'close'
  readonly payloads: readonly Deed[]
}

function own(owner: Owner, flags: readonly string[] = []) {
  const args = [...flags, fileURLToPath(module('owner')), JSON.stringify(owner)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  /** Nobody holds its stdout any more: neither it nor its isolates. */
  const silent = once(child, 'close')
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  atEnd(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, exited, silent, said: () => text }
}

const KINDS: readonly Kind[] = ['thread', 'process']

describe.skipIf(!built)('the process that owns isolates', () => {
  it('leaves no orphan when it is killed, however busy its isolates are', async () => {
    const line = await lifeline()
    const { port } = line
    const payloads = [
      { deed: 'loop with child', port },
      { deed: 'until told', port },
    ]
    const { child, silent } = own({ kind: 'process', how: 'stay', payloads })
    await line.until(3)
    child.kill('SIGKILL')
    await silent
    await line.gone()
  })

  it.each(KINDS)(
    'ends by itself when its worker was stopped, its isolates in a %s',
    async (kind) => {
      const payloads = [
        { deed: 'echo', value: 1 },
        { deed: 'echo', value: 2 },
      ]
      const { exited, silent, said } = own({ kind, how: 'stop', payloads })
      expect(await exited).toEqual([0, null])
      await silent
      expect(said()).toBe('[1,2]\n')
    },
  )

  it.each(KINDS)(
    'ends by itself when its Millrace was closed, its isolates in a %s',
    async (kind) => {
      const payloads = [
        { deed: 'echo', value: 1 },
        { deed: 'echo', value: 2 },
      ]
      const { exited, silent, said } = own({ kind, how: 'close', payloads })
      expect(await exited).toEqual([0, null])
      await silent
      expect(said()).toBe('[1,2]\n')
    },
  )

  it.each(KINDS)('gives its own heap limit to its isolates: %s', async (kind) => {
    const flags = ['--max-old-space-size=96']
    const { silent, said } = own({ kind, how: 'stop', payloads: [{ deed: 'heap' }] }, flags)
    await silent
    expect(said()).toBe('[96]\n')
  })
})
