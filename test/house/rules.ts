/**
 * The rules of the house, each a function from the source to what is wrong with it, in sentences
 * that say where and what to do. `docs/internals/ARCHITECTURE.md` draws the floors.
 */
import type { House } from './source.js'

/** Longer than this, a file is more than one subject. */
export const LONGEST_FILE = 400
/** The one file with real time and chance in it. */
export const CLOCK_FILE = 'time/system.ts'

/**
 * Who may import whom, beside its own room. `errors` is `job/errors.ts` by itself: it imports
 * nothing, so it may lie under all floors. `face` is every file in src itself but `store.ts`, with
 * the folders named after them.
 * `stores` is each folder in `stores/`; they are rooms apart, but for `stores/book/` and, above it,
 * `stores/sql/`, which stand below them: what the stores made of a book, or of tables, have in common. The faces open stores by their URL.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  time: ['errors'],
  job: ['time', 'errors'],
  store: ['job', 'time', 'errors'],
  observe: ['store', 'job', 'time', 'errors'],
  disk: ['job', 'time', 'errors'],
  'book-store': ['store', 'job', 'time', 'errors'],
  'sql-store': ['book-store', 'store', 'job', 'time', 'errors'],
  stores: ['sql-store', 'book-store', 'store', 'disk', 'job', 'time', 'errors'],
  copy: ['store', 'job', 'time', 'errors'],
  engine: ['store', 'observe', 'job', 'time', 'errors'],
  face: ['engine', 'stores', 'store', 'observe', 'job', 'time', 'errors'],
  dashboard: ['face', 'store', 'observe', 'job', 'time', 'errors'],
  testing: [
    ...[
      'dashboard',
      'face',
      'engine',
      'stores',
      'disk',
      'store',
      'observe',
      'job',
      'time',
      'errors',
    ],
  ],
  cli: [
    ...['copy', 'testing', 'dashboard', 'face', 'engine', 'stores', 'sql-store', 'disk', 'store'],
    ...['observe', 'job'],
    ...['time', 'errors'],
  ],
}

const FACES = new Set(['millrace', 'queue', 'worker', 'scheduler', 'task'])

/** Imports that run up or across the floors, and files on no floor. */
export function brokenFloors(house: House): readonly string[] {
  return [...house.values()].flatMap(({ path, imports }) => {
    const room = roomOf(path)
    const allowed = MAY_IMPORT[floorOf(room)]
    if (allowed === undefined) {
      return [`src/${path} stands on no floor: give "${room}" its place in test/house/rules.ts`]
    }
    return imports.flatMap(({ name, file, line }) => {
      if (/^millrace(\/|$)/.test(name)) {
        return [`src/${path}:${line} imports its own package "${name}": import the file instead`]
      }
      if (file === null || roomOf(file) === room || allowed.includes(floorOf(roomOf(file))))
        return []
      const may = allowed.length === 0 ? 'nothing' : allowed.join(', ')
      return [`src/${path}:${line} imports ${file}: ${room} may import ${may}`]
    })
  })
}

function roomOf(path: string): string {
  if (path === 'job/errors.ts') return 'errors'
  const [first, second, third] = path.split('/')
  if (FACES.has(first)) return 'face'
  if (second === undefined) return first === 'store.ts' ? 'store' : 'face'
  if (first === 'stores' && second === 'book') return 'book-store'
  if (first === 'stores' && second === 'sql') return 'sql-store'
  return first === 'stores' && third !== undefined ? `stores/${second}` : first
}

function floorOf(room: string): string {
  return room.startsWith('stores/') ? 'stores' : room
}

/** Circles of imports, those of types included; each is told once, by one way round it. */
export function circles(house: House): readonly string[] {
  const done = new Set<string>()
  const found: string[] = []

  const walk = (path: string, trail: readonly string[]): void => {
    const back = trail.indexOf(path)
    if (back >= 0) {
      found.push(`a circle: ${[...trail.slice(back), path].join(' → ')}: move what both need down`)
      return
    }
    if (done.has(path)) return
    for (const { file } of house.get(path)?.imports ?? []) {
      if (file !== null) walk(file, [...trail, path])
    }
    done.add(path)
  }
  for (const path of [...house.keys()].sort()) walk(path, [])
  return found
}

/** What of package.json the house test reads. */
export interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly bin: Readonly<Record<string, string>>
}

/** Exports and bins whose source is not there, or whose types are another file's. */
export function exportsWithoutFile(house: House, manifest: Manifest): readonly string[] {
  return entries(manifest).flatMap(({ name, target }) => {
    const source = sourceOf(target)
    if (source !== null && house.has(source)) return []
    return [`package.json: ${name} points at ${target}, but there is no src/${source ?? '…'}`]
  })
}

/** Files that no export and no bin reaches, and rooms with a public face but no export. */
export function filesWithoutOwner(house: House, manifest: Manifest): readonly string[] {
  const reached = new Set<string>()
  const reach = (path: string): void => {
    if (reached.has(path)) return
    reached.add(path)
    for (const { file } of house.get(path)?.imports ?? []) if (file !== null) reach(file)
  }
  for (const { target } of entries(manifest)) {
    const source = sourceOf(target)
    if (source !== null && house.has(source)) reach(source)
  }
  const orphans = [...house.keys()]
    .filter((path) => !reached.has(path))
    .map((path) => `src/${path} is reached by no export and no bin: import it or remove it`)

  const rooms = new Set([...house.keys()].map(roomOf))
  const closed = [...rooms]
    .filter((room) => room.startsWith('stores/') || room === 'testing' || room === 'dashboard')
    .filter((room) => !Object.hasOwn(manifest.exports, `./${room.replace('stores/', '')}`))
    .map(
      (room) => `src/${room}/ has no "./${room.replace('stores/', '')}" in package.json's exports`,
    )
  return [...orphans, ...closed]
}

/** Subpaths whose name for the compiler (`paths` in tsconfig.json) is not their source. */
export function pathsUnlikeExports(
  manifest: Manifest,
  paths: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const wanted = new Map<string, string>()
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue
    wanted.set(`millrace${subpath.slice(1)}`, `./src/${sourceOf(target.default) ?? '…'}`)
  }
  const names = new Set([...wanted.keys(), ...Object.keys(paths)])
  return [...names]
    .filter((name) => wanted.get(name) !== paths[name]?.[0])
    .map((name) => `tsconfig.json: paths["${name}"] should be ${wanted.get(name) ?? 'left out'}`)
}

function entries(manifest: Manifest): readonly { name: string; target: string }[] {
  const subpaths = Object.entries(manifest.exports).flatMap(([name, target]) =>
    typeof target === 'string' ? [] : Object.values(target).map((file) => ({ name, target: file })),
  )
  return [...subpaths, ...Object.entries(manifest.bin).map(([name, target]) => ({ name, target }))]
}

/** `./dist/index.d.ts` → `index.ts`. */
function sourceOf(target: string): string | null {
  const [, path] = /^(?:\.\/)?dist\/(.+?)(?:\.d\.ts|\.js)$/.exec(target) ?? []
  return path === undefined ? null : `${path}.ts`
}

/** Real time and chance outside their one file. */
export function realClocks(house: House): readonly string[] {
  return [...house.values()]
    .filter(({ path }) => path !== CLOCK_FILE)
    .flatMap(({ path, touches }) =>
      touches.map(({ what, line }) => `src/${path}:${line} uses ${what}: take a Clock or a Chance`),
    )
}

const DUMPING_GROUNDS = /^(utils?|helpers?|commons?|types?|interfaces?|libs?|misc|shared)$/
const DUMPING_SUFFIX = /[-.](utils?|helpers|types|interfaces)$/

/** Folders and files that are named for no subject. */
export function dumpingGrounds(house: House): readonly string[] {
  return [...house.keys()].flatMap((path) => {
    const names = path.replace(/\.[cm]?tsx?$/, '').split('/')
    const bad = names.find((name) => DUMPING_GROUNDS.test(name) || DUMPING_SUFFIX.test(name))
    return bad === undefined
      ? []
      : [`src/${path}: "${bad}" is no subject: name it for what it is about`]
  })
}

export function longFiles(house: House): readonly string[] {
  return [...house.values()]
    .filter(({ lines }) => lines > LONGEST_FILE)
    .map(
      ({ path, lines }) =>
        `src/${path} has ${lines} lines, over ${LONGEST_FILE}: is it one subject?`,
    )
}
