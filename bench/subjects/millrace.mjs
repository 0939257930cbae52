// Millrace as a subject: through the public face, with the defaults that users get.
import { pathToFileURL } from 'node:url'

/** `build` is a folder like `dist`, so that two builds can be measured beside each other. */
export async function load({ build }) {
  const from = (file) => import(pathToFileURL(`${build}/${file}`).href)
  const { millrace } = await from('index.js')
  const { fileStore } = await from('stores/file/file-store.js')
  return async ({ store, folder, url, durability, groups }) => {
    const isFileByHand = store === 'file' && durability !== 'power'
    const mill = isFileByHand
      ? millrace(fileStore({ path: folder, durability }))
      : millrace(urlOf({ store, folder, url, durability }))
    return openOn(mill, groups)
  }
}

function urlOf({ store, folder, url, durability }) {
  switch (store) {
    case 'memory':
      return 'memory:'
    case 'sqlite':
      return `sqlite:${folder}/bench.db${durability === 'power' ? '' : `?durability=${durability}`}`
    case 'maildir':
      return `maildir:${folder}/mail?durability=${durability}`
    case 'postgres':
      return url
    default:
      return `file:${folder}`
  }
}

/** Every gate that there is, each asked of every job, none ever closed. */
const GATES = {
  concurrency: 1_000_000,
  groups: { concurrency: 1000, rate: { count: 1_000_000, per: '1s' }, weights: { g1: 2 } },
  rate: { count: 1_000_000, per: '1s', key: 'bench' },
}

async function openOn(mill, groups) {
  await mill.open()
  const queue = groups === undefined ? mill.queue('bench') : mill.queue('bench', GATES)
  const grouped = ({ n }) => ({ group: `g${n % groups}` })
  const options = groups === undefined ? undefined : grouped
  return {
    add: (payload) => queue.enqueue(payload, options?.(payload)),
    addMany: (payloads) => queue.enqueueMany(payloads, options),
    /** `run` gets the payload. Answers a function that stops, when all that ran is settled. */
    work(run, { concurrency }) {
      const worker = queue.work(run, { concurrency })
      return () => worker.stop()
    },
    left: () => queue.length(),
    close: () => mill.close(),
  }
}
