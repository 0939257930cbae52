// Does it add up? From what the receiver wrote down and what the queues kept, each on its own side,
// to a verdict: every delivery ended once, every repeat and every dead letter has its reason.

/**
 * `ids`: all that was handed in. `accepted`: by job id, who brought it each time. `completed` and
 * `dead`: the jobs as the queues show them. `lastWords`: what was said of those that were given up,
 * by job id. `killed`: the process that was killed. `groups`: by job id, in the order in which they
 * were handed in. `visits`: job ids as they were brought. `starts`: instants. `rate`: what was
 * allowed. `digests`: by job id, how often it came.
 */
export function addUp(story) {
  const { ids, accepted, completed, dead, lastWords, killed, groups, digests } = story
  const done = new Map(completed.map((job) => [job.id, job]))
  const buried = new Map(dead.map((letter) => [letter.origin.id, letter]))
  const repeats = [...accepted].flatMap(([id, visits]) => {
    const { history = [] } = done.get(id) ?? buried.get(id)?.origin ?? {}
    return visits.slice(0, -1).map((visit) => ({ id, reason: whyAgain(visit, history, killed) }))
  })
  const lost = [...done.values(), ...[...buried.values()].map(({ origin }) => origin)]
    .flatMap(({ history }) => history)
    .filter(({ outcome }) => outcome === 'lost').length
  const letters = [...buried].map(([id, letter]) => ({
    id,
    reason: whyDead(letter, lastWords.get(id)),
  }))

  const faults = [
    ...problem(
      'ended twice: accepted, and a dead letter',
      ids.filter((id) => accepted.has(id) && buried.has(id)),
    ),
    ...problem(
      'neither accepted nor a dead letter',
      ids.filter((id) => !accepted.has(id) && !buried.has(id)),
    ),
    ...problem(
      'accepted, yet not completed in the queue',
      [...accepted.keys()].filter((id) => !done.has(id)),
    ),
    ...problem(
      'completed in the queue, yet never accepted',
      [...done.keys()].filter((id) => !accepted.has(id)),
    ),
    ...problem(
      'repeated without a reason',
      repeats.filter(({ reason }) => reason === null).map(({ id }) => id),
    ),
    ...problem(
      'dead without a reason',
      letters.filter(({ reason }) => reason === null).map(({ id }) => id),
    ),
    ...problem('more dead letters than jobs that died', dead.length === buried.size ? [] : ['?']),
    ...problem('brought before the one that stands before it had ended', outOfOrder(story)),
    ...problem(
      'digests that came twice',
      [...digests].filter(([, times]) => times > 1).map(([id]) => id),
    ),
  ]
  const most = mostIn(story.rate.per, story.starts)
  if (most > story.rate.count) faults.push(`${most} runs began within ${story.rate.per} ms`)
  return {
    total: ids.length,
    accepted: accepted.size,
    dead: buried.size,
    repeats: tally(repeats),
    letters: tally(letters),
    lost,
    order: { groups: new Set(groups.values()).size, largest: largest([...groups.values()]) },
    rate: { most, ...story.rate },
    digests: digests.size,
    faults,
  }
}

/** Deliveries that came although a later one of their group had been brought before. */
function outOfOrder({ groups, visits }) {
  const places = new Map([...groups.keys()].map((id, place) => [id, place]))
  const reached = new Map()
  return visits.filter((id) => {
    const group = groups.get(id)
    const isLate = places.get(id) < (reached.get(group) ?? 0)
    if (!isLate) reached.set(group, places.get(id))
    return isLate
  })
}

/** The most starts that lie in any window of that length. */
function mostIn(span, starts) {
  const sorted = starts.toSorted((a, b) => a - b)
  let from = 0
  return sorted.reduce((most, start, at) => {
    while (start - sorted[from] >= span) from++
    return Math.max(most, at - from + 1)
  }, 0)
}

function largest(groups) {
  const counts = new Map()
  for (const group of groups) counts.set(group, (counts.get(group) ?? 0) + 1)
  const [name, count] = [...counts].sort(([, a], [, b]) => b - a)[0]
  return { name, count }
}

/** The queue's own history says how the attempt ended that the receiver accepted. */
function whyAgain({ worker, attempt }, history, killed) {
  const outcome = history.find((entry) => entry.attempt === attempt)?.outcome
  if (outcome === 'timeout') return 'the receiver’s answer came after the timeout'
  if (outcome === 'lost' && worker === killed) return 'its worker was killed before it could say so'
  return null
}

function whyDead({ origin }, message) {
  if (origin.reason === 'given-up')
    return message === undefined ? null : `${message}: given up at once`
  const last = origin.history.at(-1)
  if (origin.reason !== 'attempts-spent' || last === undefined) return null
  const what = last.outcome === 'timeout' ? 'no answer in time' : last.error?.message
  return what === undefined ? null : `${what}: all ${origin.history.length} attempts spent`
}

function problem(what, ids) {
  if (ids.length === 0) return []
  const more = ids.length > 5 ? ` and ${ids.length - 5} more` : ''
  return [`${what}: ${ids.slice(0, 5).join(', ')}${more}`]
}

function tally(items) {
  const counts = new Map()
  for (const { reason } of items) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => ({ reason, count }))
}

/** The verdict, as lines to print. */
export function summaryLines(summary, paint) {
  const { total, accepted, dead, repeats, letters, lost, order, rate, digests, faults } = summary
  const number = (value) => String(value).padStart(5)
  const reasons = (counted) =>
    counted.map(({ reason, count }) =>
      paint.dim(`  ${number(count)}  ${reason ?? 'nobody knows why'}`),
    )
  const again = repeats.reduce((sum, { count }) => sum + count, 0)
  return [
    `${number(total)}  deliveries were handed in`,
    `${number(accepted)}  were accepted by the receiver`,
    `${number(dead)}  are dead letters`,
    ...reasons(letters),
    `${number(again)}  were brought again after they had been accepted`,
    ...reasons(repeats),
    `${number(lost)}  were running in the worker that was killed; others ran them again`,
    `${number(order.groups)}  repositories, each in its order; ${order.largest.count} came from ${order.largest.name}`,
    `${number(rate.most)}  began in the busiest second, of ${rate.count} allowed to both queues together`,
    `${number(digests)}  digests went out by the clock`,
    '',
    ...(faults.length === 0
      ? [
          paint.green(
            `It adds up: ${accepted} + ${dead} = ${total}, no id is in both, and everything has its reason.`,
          ),
        ]
      : [paint.red('It does not add up:'), ...faults.map((fault) => paint.red(`  ${fault}`))]),
  ]
}

/** What to try now, on the same store. `example`: a job worth looking at. */
export function whatNext({ place, scope, example, dead }, paint) {
  const command = (text, why) => `  ${text.padEnd(58)} ${paint.dim(why)}`
  const again = [
    '',
    'Send the dead letters once more, to a receiver that takes everything:',
    '',
    command('node examples/webhook-relay/receiver.mjs &', 'it prints what it gets'),
    command('millrace retry webhooks-dead --all', 'back to where they came from'),
    command('millrace work examples/webhook-relay/handler.mjs', 'a worker; Ctrl-C ends it'),
  ]
  return [
    `It is all still there, in ${paint.bold(place)}. Look at it:`,
    '',
    `  export MILLRACE_URL=${quoted(place)}${scope === 'default' ? '' : ` MILLRACE_SCOPE=${scope}`}`,
    '  alias millrace="node dist/cli/main.js"',
    command('millrace stats', 'how many jobs are where'),
    command('millrace list webhooks-dead', 'what could not be delivered'),
    command(`millrace show webhooks ${example}`, 'the job whose worker was killed'),
    ...(dead > 0 ? again : []),
  ]
}

/** For the shell, where it needs it. */
function quoted(text) {
  return /^[\w:./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
