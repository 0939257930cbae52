// The real libraries, each as its users use it: what opens it on a database, how a function runs in a
// transaction of it, and what of it is no transaction. `CamelCasePlugin` and the like are on where they
// could harm us.
import 'reflect-metadata'
import { PGlite } from '@electric-sql/pglite'
import { PrismaPg } from '@prisma/adapter-pg'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnPglite } from 'drizzle-orm/pglite'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import knexOf from 'knex'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { DataSource } from 'typeorm'
import { PrismaClient } from './node_modules/generated-prisma-client/index.js'

const quiet = { onnotice: () => undefined }

/** `select`: one statement from outside of the transaction. `wrong`: what must be refused. */
export const LIBRARIES = {
  async pg(url) {
    const pool = new pg.Pool({ connectionString: url })
    const idle = await pool.connect()
    return {
      wrong: { pool, idle },
      async transaction(run) {
        const client = await pool.connect()
        try {
          await client.query('BEGIN')
          await run(client)
          await client.query('COMMIT')
        } catch (error) {
          await client.query('ROLLBACK')
          throw error
        } finally {
          client.release()
        }
      },
      close: () => {
        idle.release()
        return pool.end()
      },
    }
  },

  async PGlite() {
    const db = await PGlite.create()
    return {
      wrong: { db },
      transaction: (run) => db.transaction(run),
      select: async (text) => (await db.query(text)).rows,
      close: () => db.close(),
    }
  },

  async 'TypeORM, a manager'(url) {
    const source = await new DataSource({ type: 'postgres', url }).initialize()
    return {
      wrong: { source, manager: source.manager },
      transaction: (run) => source.transaction(run),
      close: () => source.destroy(),
    }
  },

  async 'TypeORM, a runner'(url) {
    const source = await new DataSource({ type: 'postgres', url }).initialize()
    const idle = source.createQueryRunner()
    return {
      wrong: { idle, 'manager of it': idle.manager },
      async transaction(run) {
        const runner = source.createQueryRunner()
        await runner.startTransaction()
        try {
          await run(runner)
          await runner.commitTransaction()
        } catch (error) {
          await runner.rollbackTransaction()
          throw error
        } finally {
          await runner.release()
        }
      },
      close: () => source.destroy(),
    }
  },

  async Prisma(url) {
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })
    return {
      wrong: { prisma },
      transaction: (run) => prisma.$transaction(run),
      close: () => prisma.$disconnect(),
    }
  },

  async 'Drizzle on pg'(url) {
    const pool = new pg.Pool({ connectionString: url })
    const db = drizzleOnPg(pool)
    return { wrong: { db }, transaction: (run) => db.transaction(run), close: () => pool.end() }
  },

  async 'Drizzle on postgres.js'(url) {
    const sql = postgres(url, quiet)
    const db = drizzleOnPostgresJs(sql)
    return { wrong: { db }, transaction: (run) => db.transaction(run), close: () => sql.end() }
  },

  async 'Drizzle on PGlite'() {
    const client = await PGlite.create()
    const db = drizzleOnPglite(client)
    return {
      wrong: { db },
      transaction: (run) => db.transaction(run),
      select: async (text) => (await client.query(text)).rows,
      close: () => client.close(),
    }
  },

  async Kysely(url) {
    const dialect = new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) })
    const db = new Kysely({ dialect, plugins: [new CamelCasePlugin()] })
    return {
      wrong: { db },
      transaction: (run) => db.transaction().execute(run),
      close: () => db.destroy(),
    }
  },

  async 'Kysely, by hand'(url) {
    const db = new Kysely({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
    })
    return {
      wrong: { db },
      async transaction(run) {
        const trx = await db.startTransaction().execute()
        try {
          await run(trx)
          await trx.commit().execute()
        } catch (error) {
          await trx.rollback().execute()
          throw error
        }
      },
      close: () => db.destroy(),
    }
  },

  async Knex(url) {
    const knex = knexOf({ client: 'pg', connection: url, pool: { min: 0, max: 4 } })
    return {
      wrong: { knex },
      transaction: (run) => knex.transaction(run),
      close: () => knex.destroy(),
    }
  },

  async 'postgres.js'(url) {
    const sql = postgres(url, quiet)
    return { wrong: { sql }, transaction: (run) => sql.begin(run), close: () => sql.end() }
  },

  async 'postgres.js, a reserved connection'(url) {
    const sql = postgres(url, quiet)
    return {
      wrong: { sql },
      async transaction(run) {
        const one = await sql.reserve()
        try {
          await one`BEGIN`
          await run(one)
          await one`COMMIT`
        } catch (error) {
          await one`ROLLBACK`
          throw error
        } finally {
          one.release()
        }
      },
      close: () => sql.end(),
    }
  },
}
