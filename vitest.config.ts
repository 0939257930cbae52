// How the tests run: straight from the TypeScript sources, with the package's own names pointing at them.
// Tests that start real processes use what `npm run build` put into dist.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

const manifest = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as {
  exports: Record<string, string | { default: string }>
} // as: our own file, and the house test checks it

/** 'millrace/file' → src/stores/file/file-store.ts, as `exports` says for dist. */
const alias = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
  if (typeof target === 'string') return []
  const name = subpath === '.' ? 'millrace' : `millrace/${subpath.slice(2)}`
  const source = target.default.replace(/^\.\/dist\//, './src/').replace(/\.js$/, '.ts')
  return [
    { find: new RegExp(`^${name}$`), replacement: fileURLToPath(new URL(source, import.meta.url)) },
  ]
})

/** Those that take a minute, and say little, so that they were taken for short and begun last. */
const LONG =
  /\/test\/(conformance\/(postgres|pglite|sqlite|file|maildir)|(file|maildir)\/crash|maildir\/derived|postgres\/(pglite|outages)|copy\/moves)\.test\.ts$/

class LongFirst extends BaseSequencer {
  override async sort(files: Parameters<BaseSequencer['sort']>[0]): Promise<typeof files> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: (typeof files)[number]): boolean => LONG.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    // Starts nothing until a test asks for a server.
    globalSetup: ['test/servers/desk.ts'],
    // A fifth of the time is waited for disks, servers and processes: one more than there are cores.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongFirst },
    // Node 22 says on stderr that its own SQLite is experimental; tests of processes read what stands there.
    env: {
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --disable-warning=ExperimentalWarning`,
    },
    // Only what hangs meets these: a machine that is busy with other work is slow, and no test is to tell.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
})
