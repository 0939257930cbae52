/**
 * Whether all processes read the same state from the same log. Now and then one says in a frame of
 * kind `state` what its book comes to; whoever reads the frame compares it with its own. What a
 * process says counts only if its frame stands where it had read up to: else others wrote between.
 *
 *     state {"at":<offset of this very frame>,"is":"<fingerprint>"}
 *
 * Books can part when bytes rot that some have read while they were sound, or by a mistake of ours.
 * What is to be done about it is the medium's affair.
 */
import { fingerprint } from '../../job/book/fingerprint.js'
import type { Ledger } from '../../job/book/ledger.js'
import type { Landed } from './log.js'

interface Saying {
  readonly at: number
  readonly is: string
}

export type Heard = 'agrees' | 'parts' | 'nothing'

export class Accord {
  readonly #ledger: Ledger
  #last: Heard = 'nothing'

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** What the last frame that could be compared said. */
  get last(): Heard {
    return this.#last
  }

  /** The guards of a frame that will stand at this offset, behind all that is folded. */
  say(at: number): string {
    const saying: Saying = { at, is: fingerprint(this.#ledger) }
    return JSON.stringify(saying)
  }

  /** Compares a frame of kind `state`, before anything behind it is folded. */
  hear({ at, head, isSalvage }: Landed): Heard {
    const said = JSON.parse(head.guards) as Saying // as `say` wrote it
    // A frame that is saved later is folded later than where it stands.
    if (isSalvage || said.at !== at) return 'nothing'
    this.#last = said.is === fingerprint(this.#ledger) ? 'agrees' : 'parts'
    return this.#last
  }
}
