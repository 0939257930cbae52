// What is measured, with which numbers, and how it reads in the table. `unit` says which way is
// better: a rate is better when it is larger, the others when they are smaller. A plan's `jobs` are
// for Millrace; what is slower gets `fewer` of them, so that a round takes seconds for everybody.

/** So many that a process is warm for most of them, and a round takes seconds. */
export function jobsOf(store) {
  return store === 'maildir' ? 60_000 : 100_000
}

function processing({ quick, jobs }, concurrency, processes) {
  const scale = quick ? 0.05 : 1
  return {
    group: 'process',
    title: `process, concurrency ${concurrency}, ${processes === 1 ? '1 process' : `${processes} processes`}`,
    measure: 'process',
    asked: { jobs: Math.round(jobs * scale), concurrency, processes },
    fewer: Math.max(200, Math.round(4_000 * scale)),
    show: 'perSecond',
    unit: 'jobs/s',
  }
}

/** There are as many jobs as the most groups, so that each has one. */
export function gatePlans(asked) {
  return [processing(asked, 10, 1), processing(asked, 100, 1), processing(asked, 100, 2)]
}

export function plans({ quick, jobs }) {
  const seconds = quick ? 0.3 : 1.5
  const enqueue = (measure, title) => ({
    ...{ group: 'enqueue', title, measure, asked: { seconds }, show: 'perSecond', unit: 'jobs/s' },
  })
  const latency = (across) => ({
    group: 'latency',
    title: `latency at 50 jobs/s, ${across ? 'across processes' : 'one process'}`,
    measure: 'latency',
    asked: { seconds: quick ? 1 : 20, across },
    show: 'p50',
    also: 'p99',
    unit: 'ms',
  })
  return [
    enqueue('sequential', 'enqueue, one after another'),
    enqueue('concurrent', 'enqueue, 1,000 plain calls at once'),
    enqueue('hurried', 'enqueue, 1,000 callers'),
    enqueue('many', 'enqueueMany of 1,000'),
    processing({ quick, jobs }, 1, 1),
    processing({ quick, jobs }, 10, 1),
    processing({ quick, jobs }, 100, 1),
    processing({ quick, jobs }, 10, 2),
    processing({ quick, jobs }, 100, 2),
    latency(false),
    latency(true),
  ]
}

export function backlogs({ quick }) {
  const jobs = quick ? 500 : 20_000
  const small = quick ? 1_000 : 10_000
  const large = quick ? 5_000 : 1_000_000
  return {
    jobs: Math.min(jobs, small / 2),
    fewer: quick ? 200 : 2_000,
    concurrency: 10,
    small,
    large,
  }
}

export const MEDIUM_BATCHES = [1, 100, 1000]
