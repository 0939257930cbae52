/**
 * The porter's own thread: what it is handed it does by calls that block, since a call of the file
 * system may wait for its journal, and the loop would wait with it. Answers come in the order in
 * which things were done.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { realDisk } from '../../disk/real-disk.js'
import { DiskPorter } from './porter.js'
import type { PorterParts } from './porter.js'
import { wordsOf } from './porter-words.js'
import type { ToPorter, ToDesk } from './porter-words.js'

const parts = workerData as Omit<PorterParts, 'disk'> // as: `porter-port.ts` is the only one to start this thread
const porter = new DiskPorter({ ...parts, disk: realDisk() })

function tell(news: ToDesk): void {
  parentPort?.postMessage(news)
}

async function sync(number: number, paths: readonly string[]): Promise<void> {
  try {
    await porter.sync(paths)
    tell({ number, error: null })
  } catch (error) {
    tell({ number, error: wordsOf(error) })
  }
}

parentPort?.on('message', (asked: ToPorter) => {
  if ('paths' in asked) {
    void sync(asked.number, asked.paths)
    return
  }
  const { done, error } = porter.carry(asked.errands)
  tell({ number: asked.number, done, error: error === null ? null : wordsOf(error) })
})
