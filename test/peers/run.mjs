// npm run test:peers: installs the real libraries from this folder's own lockfile, makes Prisma's client,
// and runs the tests here. They are apart, so that the repository's `npm ci` stays quick.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** What was installed, told by the lockfile that it was installed from. */
const MARK = `${HERE}node_modules/.installed-from`

const lockfile = readFileSync(`${HERE}package-lock.json`, 'utf8')
if (!existsSync(MARK) || readFileSync(MARK, 'utf8') !== lockfile) {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], HERE)
  // It has nothing but what it compiles, or finds compiled.
  run('npm', ['rebuild', 'better-sqlite3'], HERE)
  // Making a client runs no engine, but the command looks for one, and would download it.
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' }
  run('npx', ['prisma', 'generate', '--schema', 'schema.prisma', '--no-hints'], HERE, env)
  writeFileSync(MARK, lockfile)
}
const words = ['run', '--config', 'test/peers/vitest.config.mjs', ...process.argv.slice(2)]
run('npx', ['vitest', ...words], ROOT)

function run(command, words, cwd, env = {}) {
  const { status } = spawnSync(command, words, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (status !== 0) process.exit(status ?? 1)
}
