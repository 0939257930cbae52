// The demo's own judge, tried on runs that do not add up: each must be found.
import { describe, expect, it } from 'vitest'

interface Attempt {
  readonly attempt: number
  readonly outcome: string
  readonly worker?: string
  readonly error?: { readonly message: string } | null
}
interface Story {
  ids: string[]
  accepted: Map<string, { worker: number; attempt: number }[]>
  completed: { id: string; history: Attempt[] }[]
  dead: { origin: { id: string; reason: string; history: Attempt[] } }[]
  lastWords: Map<string, string>
  killed: number
  groups: Map<string, string>
  visits: string[]
  starts: number[]
  rate: { count: number; per: number }
  digests: Map<string, number>
}
interface Judged {
  readonly accepted: number
  readonly dead: number
  readonly lost: number
  readonly faults: readonly string[]
}
const path = new URL('../../examples/webhook-relay/summary.mjs', import.meta.url).href
const { addUp } = (await import(path)) as { addUp: (story: Story) => Judged }

const done: Attempt = { attempt: 2, outcome: 'completed' }

/** One job went well at once, one after a timeout, one after a kill; one was given up, one wore out. */
function story(): Story {
  return {
    ids: ['well', 'late', 'killed', 'gone', 'down'],
    accepted: new Map([
      ['well', [{ worker: 1, attempt: 1 }]],
      [
        'late',
        [
          { worker: 1, attempt: 1 },
          { worker: 2, attempt: 2 },
        ],
      ],
      [
        'killed',
        [
          { worker: 9, attempt: 1 },
          { worker: 1, attempt: 2 },
        ],
      ],
    ]),
    completed: [
      { id: 'well', history: [{ attempt: 1, outcome: 'completed' }] },
      { id: 'late', history: [{ attempt: 1, outcome: 'timeout' }, done] },
      { id: 'killed', history: [{ attempt: 1, outcome: 'lost' }, done] },
    ],
    dead: [
      {
        origin: { id: 'gone', reason: 'given-up', history: [{ attempt: 1, outcome: 'discarded' }] },
      },
      {
        origin: {
          id: 'down',
          reason: 'attempts-spent',
          history: [{ attempt: 1, outcome: 'failed', error: { message: '503' } }],
        },
      },
    ],
    lastWords: new Map([['gone', '410 Gone']]),
    killed: 9,
    groups: new Map([
      ['well', 'a'],
      ['late', 'b'],
      ['killed', 'a'],
      ['gone', 'b'],
      ['down', 'b'],
    ]),
    visits: ['well', 'late', 'killed', 'late', 'gone', 'killed', 'down', 'down'],
    starts: [0, 100, 1100, 1200],
    rate: { count: 2, per: 1000 },
    digests: new Map([['digest-1', 1]]),
  }
}

describe('the demo’s summary', () => {
  it('adds up when every job ended once and everything has its reason', () => {
    expect(addUp(story())).toMatchObject({ accepted: 3, dead: 2, lost: 1, faults: [] })
  })

  it.each<[string, (story: Story) => void]>([
    ['a job that was lost', ({ accepted }) => accepted.delete('well')],
    ['a job that ended twice', ({ accepted }) => accepted.set('gone', [{ worker: 1, attempt: 1 }])],
    [
      'a repeat that nothing explains',
      ({ accepted }) => accepted.get('well')?.push({ worker: 2, attempt: 2 }),
    ],
    ['a loss of a worker that nobody killed', (it) => (it.killed = 8)],
    [
      'a completion that the receiver never saw',
      ({ completed }) => completed.push({ id: 'x', history: [] }),
    ],
    ['a dead letter without a reason', ({ lastWords }) => lastWords.clear()],
    [
      'a dead letter of another kind',
      ({ dead }) => Object.assign(dead[0].origin, { reason: 'expired' }),
    ],
    ['a job that is buried twice', ({ dead }) => dead.push(dead[0])],
    ['one that overtook another of its group', ({ visits }) => visits.push('late')],
    ['a second that saw too many starts', ({ starts }) => starts.push(1150)],
    ['a digest that came twice', ({ digests }) => digests.set('digest-1', 2)],
  ])('finds %s', (_, spoil) => {
    const spoilt = story()
    spoil(spoilt)
    expect(addUp(spoilt).faults).not.toEqual([])
  })
})
