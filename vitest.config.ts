// How the tests run: straight from the TypeScript sources, with the package's own names pointing at them.
// Tests that start real processes use what `npm run build` put into dist.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    // Starts nothing until a test asks for a server.
    globalSetup: ['test/servers/desk.ts'],
    // Left to itself it keeps one core free, and takes twice as long on two.
    maxWorkers: '100%',
    // Node 22 says on stderr that its own SQLite is experimental; tests of processes read what stands there.
    env: {
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --disable-warning=ExperimentalWarning`,
    },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    reporters: ['default'],
  },
})
