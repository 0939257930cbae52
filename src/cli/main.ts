#!/usr/bin/env node
/** The program `millrace`: this process's terminal, the commands, and the exit code. */
import { run } from './run.js'
import { endWith, processTerminal } from './terminal.js'

endWith(await run(process.argv.slice(2), processTerminal()))
