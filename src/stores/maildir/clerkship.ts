/**
 * The keeper's side of the post: does what letters ask for, as if their writers were handles of its
 * own process, and answers.
 */
import type { Card } from '../../job/book/frame.js'
import type { NodeCard, Store } from '../../store.js'
import type { Post } from './post.js'
import { errorWords } from './post.js'

export interface ClerkshipParts {
  readonly post: Post
  /** A handle of the keeper. */
  readonly store: Store
  /** A node of another process is known by what proves that that one lives. */
  readonly enlist: (card: Card) => void
  /**
   * What was delivered before the letter was sent is taken in before it is answered. False: letters
   * are answered by somebody else now.
   */
  readonly attend: () => Promise<boolean>
  readonly warn: (message: string) => void
}

/** What may be asked for; opening and closing are everybody's own. */
const VERBS: ReadonlySet<string> = new Set([
  ...['insert', 'exchange', 'note', 'enlist', 'leave', 'beat', 'check', 'sweep', 'get', 'parents'],
  ...['list', 'count', 'explain', 'explainQueue', 'groups', 'queues', 'nodes', 'control'],
  ...['settings', 'declare', 'override', 'tick', 'schedules', 'plan', 'dump', 'load'],
])

type Verbs = Readonly<Record<string, (...words: readonly unknown[]) => Promise<unknown>>>

/** Does all that lies there; what comes meanwhile is told by the next hint. */
export async function serve(parts: ClerkshipParts): Promise<void> {
  const { post, attend } = parts
  const asks = post.asks()
  if (asks.length === 0 || !(await attend())) return
  await Promise.all(asks.map((number) => serveOne(parts, number)))
}

async function serveOne(parts: ClerkshipParts, number: string): Promise<void> {
  const { post, store, enlist, warn } = parts
  try {
    const ask = post.take(number)
    if (ask === null) return
    try {
      const { verb, words, proof } = ask
      if (!VERBS.has(verb)) throw new Error(`there is no verb ${verb}`)
      if (verb === 'enlist') {
        enlist({ ...(words[0] as NodeCard), proof }) // as: the seam's own words for it
        return post.answer(number, { value: null })
      }
      const verbs = store as unknown as Verbs // as: it is one of VERBS
      const value = await verbs[verb](...words)
      post.answer(number, { value: value ?? null })
    } catch (error) {
      post.answer(number, { error: errorWords(error) })
    }
  } catch (error) {
    warn(`a letter could not be answered: ${String(error)}`)
  }
}
