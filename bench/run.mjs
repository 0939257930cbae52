// npm run bench -- <file, maildir, sqlite, postgres, memory or gates> [--durability process] [--rounds 3] [--only enqueue,process,…]
//   [--jobs 100000] [--on <the store of gates: file, sqlite or postgres>] [--alone] [--build <a dist>] [--also <another dist>] [--folder <where>] [--quick] [--json]
// Whole library against whole library on one Node, in rounds that take turns, medians of them. What
// is measured is in plan.mjs and measures/, who is measured in subjects/.
import { tmpdir } from 'node:os'
import { statfsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Lab, hasStrace } from './measure.mjs'
import { PostgresCluster } from '../test/servers/cluster.mjs'
import { onNewerNode } from './newer-node.mjs'
import { havePeers } from './peers.mjs'
import { MEDIUM_BATCHES, backlogs, gatePlans, jobsOf, plans } from './plan.mjs'
import { subjectsFor, whyNot } from './subjects.mjs'
import { medians, spell, table } from './table.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    durability: { type: 'string', default: 'power' },
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string' },
    on: { type: 'string', default: 'file' },
    only: { type: 'string', default: 'enqueue,process,latency,backlog,cost,idle,engine,medium' },
    also: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string', default: tmpdir() },
    build: { type: 'string' },
    alone: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const [store = 'file'] = positionals
const groups = new Set(options.only.split(','))
const rounds = options.quick ? 1 : Number(options.rounds)
const tell = (line) => process.stderr.write(`${line}\n`)
const isFile = store === 'file'
const isGates = store === 'gates'
const isPostgres = store === 'postgres' || (isGates && options.on === 'postgres')
const hasPeers = ['file', 'maildir', 'sqlite', 'postgres'].includes(store)
const alone = options.alone || !hasPeers || !havePeers(store, tell)
if (isPostgres) onNewerNode(tell)
/** As durable as it is set up, which is the default of a server: what is acknowledged is synced. */
const cluster = isPostgres ? await PostgresCluster.create({ folder: options.folder }) : null
const lab = new Lab(options.folder, cluster)
const subjects = []
for (const subject of subjectsFor(store, { ...options, alone })) {
  const reason = await lab.inPlace((place) => whyNot(subject, place))
  if (reason === null) subjects.push(subject)
  else tell(`${subject.label} is left out: ${reason}`)
}
if (subjects.length === 0) {
  await cluster?.destroy()
  process.exit(1)
}
const report = { store, node: process.version, rounds, durability: options.durability }
if (cluster !== null) report.server = `PostgreSQL ${cluster.major}`
const TMPFS = 0x01021994

if (
  options.durability === 'power' &&
  store !== 'memory' &&
  statfsSync(options.folder).type === TMPFS
) {
  tell(`${options.folder} is in memory: syncs cost nothing there; choose a disk with --folder`)
}

/** Every subject in turn, round after round, so that a slow minute is slow for all of them. */
async function interleaved(run) {
  const answers = subjects.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [at, subject] of subjects.entries()) answers[at].push(await run(subject))
  }
  return answers.map(medians)
}

/** So many jobs that a round takes seconds for everybody. */
function jobsFor({ pace }, { jobs, fewer }) {
  return pace === 'slow' ? fewer : jobs
}

async function ladder() {
  const asked = { quick: options.quick, jobs: Number(options.jobs ?? jobsOf(store)) }
  const all = isGates ? gatePlans(asked) : plans(asked)
  const wanted = all.filter(({ group }) => groups.has(group))
  report.ladder = []
  for (const plan of wanted) {
    if (store === 'memory' && (plan.asked.processes > 1 || plan.asked.across)) continue
    tell(plan.title)
    const answers = await interleaved((subject) => {
      const jobs = plan.fewer
        ? { jobs: jobsFor(subject, { jobs: plan.asked.jobs, fewer: plan.fewer }) }
        : {}
      return lab.measure(subject, { measure: plan.measure, ...plan.asked, ...jobs })
    })
    report.ladder.push({
      title: plan.title,
      unit: plan.unit,
      show: plan.show,
      also: plan.also,
      answers,
    })
  }
}

function showLadder() {
  if (report.ladder.length === 0) return ''
  const names = subjects.map(({ label }) => label)
  // Ratios are Millrace's to the others.
  const others = subjects[0].kind === 'millrace' ? names.slice(1) : []
  const headings = ['', ...names, ...others.map(() => 'ratio'), 'exactly once']
  const rows = report.ladder.map(({ title, unit, show, also, answers }) => {
    const cell = (answer) =>
      also ? `${spell(answer[show])} / ${spell(answer[also])} ms` : spell(answer[show])
    const ratio = (answer) =>
      unit === 'ms' ? answer[show] / answers[0][show] : answers[0][show] / answer[show]
    const exact = answers.some(({ isExact }) => isExact === false) ? 'NO' : 'yes'
    const counted = answers[0].isExact === undefined ? '' : exact
    const ratios = answers
      .slice(-others.length || answers.length)
      .map((answer) => `${spell(ratio(answer))}×`)
    return [title, ...answers.map(cell), ...ratios, counted]
  })
  return table(headings, rows)
}

async function backlog() {
  const { jobs, fewer, concurrency, small, large } = backlogs(options)
  report.backlog = []
  for (const subject of subjects) {
    for (const waiting of [small, large]) {
      tell(`backlog of ${waiting}: ${subject.label}`)
      const ran = jobsFor(subject, { jobs, fewer })
      const answer = await lab.inPlace(async (place) => {
        const before = await lab.measureIn(place, subject, { measure: 'before', waiting })
        const asked = { measure: 'behind', waiting, jobs: ran, concurrency }
        return { ...before, ...(await lab.measureIn(place, subject, asked)) }
      })
      report.backlog.push({ subject: subject.label, waiting, ...answer })
    }
  }
}

function showBacklog() {
  const headings = ['with so many waiting', 'waiting', 'µs a job', 'add/s', 'open ms', 'gap ms']
  headings.push('slice ms', 'MB over base', 'bytes a job', 'exactly once')
  const rows = report.backlog.map((row) => [
    ...[row.subject, String(row.waiting), row.usPerJob, row.added, row.openMs, row.longestGap],
    ...[row.longestSlice, row.overBase, row.bytesPerJob, row.isExact ? 'yes' : 'NO'],
  ])
  return table(headings, rows)
}

async function cost() {
  report.cost = []
  const strace = hasStrace()
  const size = options.quick ? 1_000 : 4_000
  for (const subject of subjects) {
    tell(`bytes and system calls: ${subject.label}`)
    const row = { subject: subject.label }
    for (const part of ['enqueue', 'process']) {
      const asked = { measure: 'cost', part, concurrency: 100 }
      const run = async (jobs) => {
        if (part === 'enqueue') {
          const one = { ...asked, jobs }
          return strace ? lab.counted(subject, one) : lab.measure(subject, one)
        }
        return processed(subject, { ...asked, jobs }, strace)
      }
      const [once, twice] = [await run(size), await run(size * 2)]
      row[part] = {
        bytes: (twice.bytes - once.bytes) / size,
        calls: strace ? (twice.calls - once.calls) / size : null,
      }
    }
    report.cost.push(row)
  }
}

/** The jobs are put there by another process, so that only their processing is looked at. */
function processed(subject, asked, strace) {
  return lab.inPlace(async (place) => {
    await lab.measureIn(place, subject, { measure: 'before', waiting: asked.jobs })
    return strace ? lab.countedIn(place, subject, asked) : lab.measureIn(place, subject, asked)
  })
}

function showCost() {
  const headings = ['a job costs', 'bytes to enqueue', 'calls', 'bytes to process', 'calls']
  return table(
    headings,
    report.cost.map(({ subject, enqueue, process }) => {
      return [subject, enqueue.bytes, enqueue.calls, process.bytes, process.calls]
    }),
  )
}

async function rest() {
  if (!hasStrace())
    return void tell('no strace: the system calls of an idle process stay uncounted')
  report.idle = []
  const seconds = options.quick ? 5 : 30
  for (const subject of subjects) {
    tell(`an idle worker: ${subject.label}`)
    const { calls, transactions } = await lab.resting(subject, { measure: 'idle', seconds })
    const aMinute = (count) => (count === null ? null : (count * 60) / seconds)
    const row = { callsPerMinute: aMinute(calls), transactionsPerMinute: aMinute(transactions) }
    report.idle.push({ subject: subject.label, ...row })
  }
}

async function engine() {
  const jobs = options.quick ? 20_000 : 300_000
  const ours = subjects.filter(({ kind }) => kind === 'millrace')
  if (ours.length === 0) return
  tell('the engine by itself')
  report.engine = []
  for (const subject of ours) {
    const answer = await lab.measure(subject, { measure: 'engine', jobs, concurrency: 100 })
    report.engine.push({ subject: subject.label, ...answer })
  }
}

async function medium() {
  const durable = options.durability === 'power'
  const bytesPerJob = Math.round(report.cost?.[0].enqueue.bytes ?? 160)
  report.medium = []
  for (const batch of MEDIUM_BATCHES) {
    for (const pipelined of batch === 1 ? [false] : [false, true]) {
      tell(`the disk by itself, batches of ${batch}`)
      const asked = { measure: 'medium', seconds: 1, batch, bytesPerJob, pipelined, durable }
      const answers = []
      for (let round = 0; round < rounds; round++) answers.push(await lab.measure(null, asked))
      report.medium.push({ batch, pipelined, bytesPerJob, ...medians(answers) })
    }
  }
}

async function server() {
  report.medium = []
  for (const batch of MEDIUM_BATCHES) {
    tell(`the server by itself, batches of ${batch}`)
    const answers = []
    for (let round = 0; round < rounds; round++) {
      answers.push(await lab.measure(null, { measure: 'server', seconds: 1, batch }))
    }
    report.medium.push({ batch, ...medians(answers) })
  }
}

function showServer() {
  const headings = ['the server by itself, jobs/s', 'insert', 'claim and delete']
  const row = ({ batch, insert, process }) => [`batches of ${batch}`, insert, process]
  return table(headings, report.medium.map(row))
}

function showMedium() {
  if (isPostgres) return showServer()
  const rows = report.medium.map(({ batch, pipelined, perSecond }) => {
    const how =
      batch === 1 ? 'sync on the spot' : pipelined ? 'two syncs in flight' : 'one sync in flight'
    return [`batches of ${batch}, ${how}`, perSecond]
  })
  return table([`the disk by itself, ${report.medium[0].bytesPerJob} bytes a job`, 'jobs/s'], rows)
}

function show() {
  const parts = [
    [
      store,
      report.server,
      `durability ${options.durability}`,
      process.version,
      `median of ${rounds}`,
    ]
      .filter((part) => part !== undefined)
      .join(', '),
  ]
  if (report.ladder) parts.push(showLadder())
  if (report.backlog) parts.push(showBacklog())
  if (report.cost) parts.push(showCost())
  if (report.idle) {
    const headings = ['an idle worker', 'system calls a minute']
    if (isPostgres) headings.push('transactions')
    const rows = report.idle.map((row) => {
      const cells = [row.subject, row.callsPerMinute, row.transactionsPerMinute]
      return cells.slice(0, headings.length)
    })
    parts.push(table(headings, rows))
  }
  if (report.engine) {
    const rows = report.engine.map(({ subject, enqueue, process }) => [subject, enqueue, process])
    parts.push(table(['engine and faces, µs of processor a job', 'enqueue', 'process'], rows))
  }
  if (report.medium) parts.push(showMedium())
  return parts.filter(Boolean).join('\n\n')
}

await ladder()
if (hasPeers && groups.has('backlog')) await backlog()
if (['file', 'maildir', 'sqlite'].includes(store) && groups.has('cost')) await cost()
if (!isGates && groups.has('idle')) await rest()
if (!isGates && groups.has('engine')) await engine()
if (isFile && groups.has('medium')) await medium()
if (isPostgres && groups.has('medium')) await server()
await cluster?.destroy()
process.stdout.write(`${options.json ? JSON.stringify(report, null, 2) : show()}\n`)
