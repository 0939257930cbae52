// Only what is in this folder, with the libraries that are installed in it.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/peers/*.peers.mjs'],
    globalSetup: ['test/servers/desk.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
