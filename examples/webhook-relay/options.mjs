// What was said on the command line, and the input: the example deliveries that GitHub publishes for
// each of its webhooks.
import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const webhookTypes = createRequire(import.meta.url)('@octokit/webhooks-examples')
const all = webhookTypes.flatMap(({ name, examples }) =>
  examples.map((body) => ({ event: name, body })),
)

/** Whose webhook it is: the repository's, else the organization's, else of all events of its kind. */
export function groupOf({ event, body }) {
  return body.repository?.full_name ?? body.organization?.login ?? event
}

/** `place`: a store's URL. `scope`: keeps this run apart from what else is in that store. */
export function readOptions() {
  const { store, deliveries = String(all.length) } = readWords()
  const count = Number(deliveries)
  if (!Number.isInteger(count) || count < 1 || count > all.length) {
    refuse(`--deliveries: give a number from 1 to ${all.length}, not ${deliveries}`)
  }
  if (store?.startsWith('memory:')) {
    refuse('--store: the workers are processes of their own, and memory: lives in one')
  }
  return {
    place: store ?? `file:${mkdtempSync(join(tmpdir(), 'millrace-demo-'))}`,
    scope: store === undefined ? 'default' : `demo-${Date.now().toString(36)}`,
    deliveries: all.slice(0, count),
  }
}

function readWords() {
  try {
    return parseArgs({ options: { store: { type: 'string' }, deliveries: { type: 'string' } } })
      .values
  } catch (error) {
    return refuse(error.message)
  }
}

function refuse(why) {
  console.error(`demo: ${why}`)
  process.exit(2)
}
