// A transaction that stays open, with autovacuum off: what is taken and done meanwhile stays as dead rows.
// Two databases of one server are worked on in turn, round by round, so that whatever else the machine does
// happens to both; only in one of them is the transaction open. Told is what a round takes in each, and how
// many pages the scan reads that finds the first job.
import pg from 'pg'
import { postgresStore } from '../../dist/stores/postgres/postgres-store.js'
import { newJob, settlement, upTo } from '../../dist/testing/conformance/build.js'
import { cardOf, PlayedNode } from '../../dist/testing/conformance/played-node.js'
import { PostgresCluster } from '../servers/cluster.mjs'

const BATCH = 50
const DONE = { kind: 'complete', result: null }
/** What the end may take of the beginning, beside the other. */
const SLOWER = 5

export async function openTransaction({ minutes, groups, onProgress }) {
  const server = await PostgresCluster.create({ settings: { autovacuum: false } })
  const sides = []
  try {
    const beside = await Side.begin(server, groups)
    const open = await Side.begin(server, groups)
    sides.push(beside, open)
    await open.hold()
    const end = performance.now() + minutes * 60_000
    const every = Math.max(5_000, (minutes * 60_000) / 12)
    const told = []
    for (let next = performance.now() + every; performance.now() < end;) {
      for (const side of sides) await side.round()
      if (performance.now() < next) continue
      next += every
      const line = await Promise.all(sides.map((side) => side.tell()))
      told.push(line)
      onProgress(
        `${line[1].jobs} jobs; beside: ${line[0].says}; with it open: ${line[1].says}, ${line[1].dead} dead rows`,
      )
    }
    return judge(told)
  } finally {
    for (const side of sides) await side.end()
    await server.destroy()
  }
}

class Side {
  #jobs = 0
  #rounds = 0
  #spent = 0
  #claims = []

  static async begin(server, groups) {
    const url = server.url(await server.createDatabase())
    const side = new Side()
    side.groups = groups
    side.store = postgresStore({ url })
    await side.store.open({ scope: 'default' })
    side.node = await PlayedNode.enlist(side.store, cardOf('node'))
    side.client = new pg.Client({ connectionString: url })
    await side.client.connect()
    side.held = new pg.Client({ connectionString: url })
    await side.held.connect()
    await side.#insert(1_000)
    return side
  }

  /** From here on no row that is there is ever cleared away. */
  async hold() {
    await this.held.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await this.held.query('SELECT count(*) FROM millrace.jobs')
  }

  async round() {
    const begun = performance.now()
    await this.#insert(BATCH)
    const asked = performance.now()
    const { jobs } = await this.node.claim({ limit: BATCH })
    this.#claims.push(performance.now() - asked)
    await this.node.settleAll(jobs.map((job) => settlement(job, DONE)))
    this.#spent += performance.now() - begun
    this.#rounds++
  }

  /** Since it was told last. */
  async tell() {
    const claim = this.#claims.sort((a, b) => a - b)[Math.floor(this.#claims.length / 2)]
    const pace = Math.round((this.#rounds * BATCH * 1_000) / this.#spent)
    const [rounds, spent] = [this.#rounds, this.#spent]
    this.#claims = []
    this.#rounds = 0
    this.#spent = 0
    const { rows } = await this.client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${FIRST}`)
    const plan = rows[0]['QUERY PLAN'][0].Plan
    const pages = plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
    const says = `${pace} jobs/s, a claim ${claim.toFixed(1)} ms, ${pages} pages`
    return { jobs: this.#jobs, rounds, spent, claim, pages, says, dead: this.#jobs - 1_000 }
  }

  async #insert(count) {
    const jobs = upTo(count).map((n) => {
      const group = this.groups > 0 ? `group-${n % this.groups}` : ''
      return newJob(`job-${++this.#jobs}`, { group })
    })
    await this.store.insert([{ jobs }])
  }

  async end() {
    await this.held.end()
    await this.client.end()
    await this.store.close()
  }
}

/** The scan of a claim, from the floor of a turn. */
const FIRST = `
  SELECT j.seq FROM millrace.turns AS u,
  LATERAL (SELECT j.seq FROM millrace.jobs AS j
           WHERE j.lane = u.lane AND j.state = 1 AND j.grp = u.grp AND j.priority = u.priority
             AND j.place >= u.floor
           ORDER BY j.place, j.seq LIMIT 1) AS j
  LIMIT 1`

/** The last fifth beside what the other did at the same time. */
function judge(told) {
  const last = told.slice(-Math.max(1, Math.floor(told.length / 5)))
  const mean = (at, of) => last.reduce((sum, line) => sum + line[at][of], 0) / last.length
  const slower = mean(1, 'claim') / mean(0, 'claim')
  const faults =
    slower <= SLOWER ? [] : [`claims take ${slower.toFixed(1)} times as long as beside it`]
  return {
    jobs: told.at(-1)[1].jobs,
    claimBeside: mean(0, 'claim').toFixed(1),
    claimOpen: mean(1, 'claim').toFixed(1),
    pagesBeside: mean(0, 'pages').toFixed(0),
    pagesOpen: mean(1, 'pages').toFixed(0),
    faults,
  }
}
