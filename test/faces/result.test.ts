// Waiting for a result: what an end means to the one who asked, from any process.
import { describe, expect, it } from 'vitest'
import { bench, fault } from './harness.js'

describe('result()', () => {
  it('answers what the handler returned, from another process too', async () => {
    const { mill, another } = bench()
    const { id } = await mill.queue('q').enqueue(20, { id: 'mine' })
    const elsewhere = another()
    elsewhere.queue<number, number>('q').work((n) => n + 1)
    const again = await mill.queue<number, number>('q').enqueue(0, { id })
    expect(again.status).toBe('duplicate')
    expect(await again.result()).toBe(21)
    expect(await again.result()).toBe(21)
  })

  it('answers undefined for a job that returned nothing and left nothing', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    const job = await queue.enqueue(1)
    queue.work(() => undefined)
    expect(await job.result()).toBeUndefined()
    expect(await job.result()).toBeUndefined()
  })

  it('answers undefined however long the job ran, as long as somebody waited', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { timeout: '2h' })
    const job = await queue.enqueue(1)
    let finish = (): void => undefined
    queue.work(() => new Promise<void>((resolve) => (finish = resolve)))
    const waiting = job.result()
    await clock.advance(3_600_000)
    finish()
    await clock.advance(5000)
    expect(await waiting).toBeUndefined()
  })

  it('answers undefined when the one who asks late still finds the job there', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { timeout: '2h' })
    const job = await queue.enqueue(1)
    let finish = (): void => undefined
    queue.work(() => new Promise<void>((resolve) => (finish = resolve)))
    await clock.advance(3_600_000)
    const waiting = job.result()
    await clock.advance(5000)
    finish()
    await clock.advance(5000)
    expect(await waiting).toBeUndefined()
  })

  it('says RESULT_GONE when nobody can know any more', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const job = await queue.enqueue(1)
    queue.work(() => 'lost to time')
    await clock.advance(60_000)
    expect(await job.result()).toBe('lost to time')
    await clock.advance(11 * 60_000)
    expect(await fault(() => job.result())).toMatch(/RESULT_GONE job ".*" of queue "q"/)
  })

  it('says JOB_DISCARDED with the reason, and where the dead letter is', async () => {
    const { mill } = bench()
    const plain = mill.queue('plain', { attempts: 1 })
    const moved = mill.queue('moved', { attempts: 1, deadLetter: 'dead' })
    plain.work((_, job) => job.discard('no such address'))
    moved.work(() => Promise.reject(new Error('boom')))
    const first = await plain.enqueue(1)
    expect(await fault(() => first.result())).toMatch(/JOB_DISCARDED.*"no such address"/)
    const second = await moved.enqueue(1)
    const said = await fault(() => second.result())
    const [letter] = await mill.queue('dead').list()
    expect(said).toContain('JOB_DISCARDED')
    expect(said).toContain(`dead letter now: job "${letter.id}" of queue "dead"`)
  })

  it('says JOB_CANCELLED for one that was stopped on purpose', async () => {
    const { mill } = bench()
    const queue = mill.queue('q')
    const job = await queue.enqueue(1, { in: '1h' })
    const waiting = fault(() => job.result())
    await queue.cancel(job.id)
    expect(await waiting).toContain('JOB_CANCELLED')
  })

  it('offers to look at the job, or to retry it, only while there is one', async () => {
    const { mill } = bench()
    const kept = mill.queue('kept', { attempts: 1 })
    const none = mill.queue('none', { attempts: 1, keep: { discarded: 0 } })
    kept.work(() => Promise.reject(new Error('boom')))
    none.work(() => Promise.reject(new Error('boom')))
    const [first, second] = [await kept.enqueue(1), await none.enqueue(1)]
    expect(await fault(() => first.result())).toContain('queue.retry(id) runs it again')
    expect(await fault(() => second.result())).toContain('`keep` keeps no such job')
    await kept.delete(first.id)
    const said = await fault(() => first.result())
    expect(said).toContain('JOB_DISCARDED')
    expect(said).toContain('"deleted". It was deleted')
    expect(said).not.toContain('retry(id)')
    const waiting = await mill.queue('w').enqueue(1)
    await mill.queue('w').delete(waiting.id)
    expect(await fault(() => waiting.result())).toMatch(/JOB_CANCELLED.*"deleted"\. It was deleted/)
  })

  it('says where a dead letter went that was retried', async () => {
    const { mill } = bench()
    const queue = mill.queue('q', { attempts: 1, deadLetter: 'dead' })
    const worker = queue.work(() => Promise.reject(new Error('boom')))
    await fault(async () => (await queue.enqueue(1)).result())
    await worker.stop()
    const dead = mill.queue('dead')
    const [{ id }] = await dead.list()
    const letter = await dead.enqueue(1, { id })
    await dead.retry(id)
    const [back] = await queue.list({ state: 'available' })
    const said = await fault(() => letter.result())
    expect(said).toContain(`It was retried, under a new id: job "${back.id}" of queue "q"`)
  })

  it('ends by its timeout and by its signal, and leaves the job alone', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q')
    const job = await queue.enqueue(1)
    const slow = fault(() => job.result({ timeout: '1s' }))
    await clock.advance(1000)
    expect(await slow).toMatch(/RESULT_TIMEOUT.*1000 ms/)
    const reason = new Error('enough')
    const gone = fault(() => job.result({ signal: AbortSignal.abort(reason) }))
    expect(await gone).toBe('Error: enough')
    expect(await fault(() => job.result({ timout: 1 } as object))).toContain('OPTION_INVALID')
    expect(await queue.length()).toBe(1)
  })

  it('does not mistake a short receipt for a silent end', async () => {
    const { mill, clock } = bench()
    const queue = mill.queue('q', { receipts: '1s' })
    const job = await queue.enqueue(1)
    queue.work(() => 'something')
    await clock.advance(60_000)
    expect(await fault(() => job.result())).toContain('RESULT_GONE')
  })
})
