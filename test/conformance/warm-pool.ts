// Connections that outlive the store that they were made for: a backend of PostgreSQL that is new learns
// every table and plans every statement anew, which takes longer than most laws do. Each store believes
// that it has a pool of its own, and that it ends it.
import type * as pgModule from 'pg'

/** Of all stores that are open at once. */
const CONNECTIONS = 24

const pools = new Map<string, pgModule.Pool>()

/** The driver with such pools: for `vi.mock`. */
export function withWarmPools({ default: pg }: { readonly default: typeof pgModule }): object {
  class WarmPool {
    readonly #pool: pgModule.Pool

    constructor(config: pgModule.PoolConfig) {
      const { connectionString: url = '' } = config
      this.#pool = pools.get(url) ?? poolOf({ ...config, max: CONNECTIONS })
      pools.set(url, this.#pool)
    }

    connect(): Promise<pgModule.PoolClient> {
      return this.#pool.connect()
    }

    /** What a store hears of its own pool, it hears of none that is to stay. */
    on(): this {
      return this
    }

    async end(): Promise<void> {}
  }
  /** It is ended before its connections are, and the database may be dropped in between. */
  function poolOf(config: pgModule.PoolConfig): pgModule.Pool {
    return new pg.Pool(config).on('error', () => undefined)
  }
  const driver = { Client: pg.Client, Pool: WarmPool }
  return { ...driver, default: driver }
}

export async function endWarmPools(): Promise<void> {
  await Promise.all([...pools.values()].map((pool) => pool.end()))
}
