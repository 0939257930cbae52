/**
 * The thread that watches over an isolate's process: when the worker's process is no more, it ends
 * the whole group at once, however busy or blocked the handler is. It learns that from a pipe
 * whose other end only that process holds, so there is nothing to poll and nobody to ask.
 */
import { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { endGroup } from './end-group.js'

const pipe = new Socket({ fd: workerData as number }) // as: `program.ts` gives the number of the pipe
pipe.on('error', () => undefined) // a pipe that broke is closed, which is heard below
pipe.on('close', endGroup)
pipe.resume()
parentPort?.postMessage('watching')
