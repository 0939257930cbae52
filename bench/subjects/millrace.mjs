// Millrace as a subject: through the public face, with the defaults that users get.
import { pathToFileURL } from 'node:url'

/** `build` is a folder like `dist`, so that two builds can be measured beside each other. */
export async function load({ build }) {
  const from = (file) => import(pathToFileURL(`${build}/${file}`).href)
  const { millrace } = await from('index.js')
  const { fileStore } = await from('stores/file/file-store.js')
  return async ({ store, folder, durability }) => {
    const isDefault = store === 'memory' || durability === 'power'
    const url = store === 'memory' ? 'memory:' : `file:${folder}`
    return openOn(isDefault ? millrace(url) : millrace(fileStore({ path: folder, durability })))
  }
}

async function openOn(mill) {
  await mill.open()
  const queue = mill.queue('bench')
  return {
    add: (payload) => queue.enqueue(payload),
    addMany: (payloads) => queue.enqueueMany(payloads),
    /** `run` gets the payload. Answers a function that stops, when all that ran is settled. */
    work(run, { concurrency }) {
      const worker = queue.work(run, { concurrency })
      return () => worker.stop()
    },
    left: () => queue.length(),
    close: () => mill.close(),
  }
}
