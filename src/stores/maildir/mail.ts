/**
 * Mail: jobs that were delivered into `new` by somebody who is not the keeper. A process of ours
 * writes a letter that says all but what only the keeper knows (a number, a place); people and
 * scripts move in a JSON file, which is the payload. The keeper takes mail in: from then on it is a
 * letter as any other.
 */
import type { Host } from '../../disk/host.js'
import { DEFAULT_TASK } from '../../job/defaults.js'
import type { Instant, Millis } from '../../job/job.js'
import type { NewJob } from '../../job/lot.js'
import { Fields, FieldWriter } from './fields.js'
import { deliveryName, readDeliveryName } from './letter-name.js'

/** When it was delivered, and when it shall be due: a span from then, or an instant. */
interface DeliveryWords {
  readonly boot: string
  readonly up: Millis
  readonly wall: Instant
  readonly delay: Millis
  readonly at: Instant | null
}

export type MailHost = Pick<Host, 'boot' | 'up' | 'wall'>

/** What may lie in `new` beside letters of keepers; `path` is below the scope. */
export function isMail(path: string): boolean {
  const [, tray, name] = path.split('/')
  return tray === 'new' && (readDeliveryName(name) !== null || isByHand(name))
}

/** What begins with a dot is somebody's draft. */
function isByHand(name: string): boolean {
  return name.endsWith('.json') && !name.startsWith('.')
}

/** `number`: grows with each of this process. */
export function mailName(job: NewJob, host: string, number: number, now: Instant): string {
  const place = job.at ?? now + job.delay
  return deliveryName({ priority: job.priority, place, seq: number, host, id: job.id })
}

/** Needs no answer: has neither a unique key nor parents nor an id of the user's. */
export function mailText(job: NewJob, host: MailHost): string {
  const wall = host.wall()
  const delivered = { boot: host.boot, up: host.up(), wall, delay: job.delay, at: job.at }
  const into = new FieldWriter()
  into.value('queue', job.queue)
  into.value('id', job.id)
  if (job.task !== DEFAULT_TASK) into.value('task', job.task)
  into.encoded('payload', job.payload)
  if (job.meta !== null) into.encoded('meta', job.meta)
  if (job.tags.length > 0) into.value('tags', job.tags)
  if (job.timeout !== null) into.endless('timeout', job.timeout)
  if (job.priority !== 0) into.value('priority', job.priority)
  if (job.group !== '') into.value('group', job.group)
  if (job.attempts !== null) into.value('maxAttempts', job.attempts)
  if (job.expiresIn !== null) into.endless('expiresIn', job.expiresIn)
  into.value('delivered', delivered)
  into.value('written', new Date(wall).toISOString())
  return into.text()
}

/** Of what was delivered a while ago the rest of its spans. Throws a sentence, or what JSON throws. */
export function readMail(
  { name, text, queue }: { readonly name: string; readonly text: string; readonly queue: string },
  host: MailHost,
  newId: () => string,
): NewJob {
  if (isByHand(name)) return { ...plainJob(queue, newId()), payload: payloadOf(text) }
  const fields = Fields.read(text)
  if (fields?.isSound !== true) throw new Error('it was delivered, and its checksum is not right')
  const payload = fields.encoded('payload')
  if (payload === null) throw new Error('it has no field "payload"')
  const { delay, at, ...when } = fields.value<DeliveryWords>('delivered', NEVER)
  const waited = when.boot === host.boot ? host.up() - when.up : host.wall() - when.wall
  const lifespan = fields.endless<Millis | null>('expiresIn', null)
  const late = Math.max(0, waited - delay)
  return {
    ...plainJob(fields.value('queue', queue), fields.value('id', '')),
    ...{ payload, at, delay: Math.max(0, delay - Math.max(0, waited)) },
    task: fields.value('task', DEFAULT_TASK),
    priority: fields.value('priority', 0),
    group: fields.value('group', ''),
    attempts: fields.value<number | null>('maxAttempts', null),
    timeout: fields.endless<Millis | null>('timeout', null),
    expiresIn: lifespan === null || at !== null ? lifespan : Math.max(1, lifespan - late),
    tags: fields.value<readonly string[]>('tags', []),
    meta: fields.encoded('meta'),
  }
}

const NEVER: DeliveryWords = { boot: '', up: 0, wall: 0, delay: 0, at: null }

/** One line, whatever it was written as. */
function payloadOf(text: string): NewJob['payload'] {
  try {
    return { text: JSON.stringify(JSON.parse(text)), codec: 'json' }
  } catch (error) {
    throw new Error(`it is no JSON: ${String(error)}`, { cause: error })
  }
}

function plainJob(queue: string, id: string): Omit<NewJob, 'payload'> {
  return {
    ...{ queue, id, ownId: false, task: DEFAULT_TASK, priority: 0, group: '', delay: 0, at: null },
    ...{ unique: null, attempts: null, timeout: null, expiresIn: null, after: [] },
    ...{ onParentFailed: 'wait', tags: [], meta: null, origin: null },
  }
}
