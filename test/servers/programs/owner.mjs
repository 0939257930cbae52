// Owns a PostgreSQL until it is killed; says which.
import { PostgresCluster } from '../cluster.mjs'

const cluster = await PostgresCluster.create()
const { port, data } = cluster
console.log(JSON.stringify({ port, data }))
setInterval(() => undefined, 60_000)
