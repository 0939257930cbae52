// pg-boss as a subject. Processing in batches of a thousand that are fetched on without a pause, as its
// pages on throughput say, and woken by NOTIFY where latency is measured (elsewhere that costs a
// little). One batch is one call of the handler, so `concurrency` is not what makes it quick.
export async function load() {
  const { PgBoss } = await import(
    new URL('../peers/node_modules/pg-boss/dist/index.js', import.meta.url).href
  )
  return async ({ url, measure }) => {
    const notify = measure === 'latency'
    const boss = new PgBoss({ connectionString: url, useListenNotify: notify, max: 10 })
    boss.on('error', ({ message }) => console.error(message))
    await boss.start()
    await boss.createQueue('bench', { notify })
    return {
      add: (payload) => boss.send('bench', payload),
      addMany: (payloads) =>
        boss.insert(
          'bench',
          payloads.map((data) => ({ data })),
        ),
      work(run) {
        const options = { batchSize: 1000, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
        const started = boss.work('bench', options, async (jobs) => {
          for (const { data } of jobs) run(data)
        })
        return async () => {
          await started
          await boss.offWork('bench', { wait: true })
        }
      },
      async left() {
        const text = `SELECT count(*)::int AS n FROM pgboss.job WHERE name = 'bench' AND state < 'completed'`
        return (await boss.getDb().executeSql(text)).rows[0].n
      },
      close: () => boss.stop({ graceful: true, close: true, timeout: 10_000 }),
    }
  }
}
