/** `millrace retry`: makes jobs run again that ended without success, or that wait for a retry. */
import type { Command } from 'commander'
import { changeCommand } from './change.js'
import type { Shell } from './shell.js'

export function retryCommand(program: Command, shell: Shell): void {
  changeCommand(program, shell, {
    verb: 'retry',
    done: 'retried',
    untouched: 'unknown, without anything to retry, or its unique key is taken',
    summary: 'Run jobs again',
    about: `Run jobs again: discarded, cancelled, and those that wait for a retry.

Attempts count from 0, the history stays. A dead letter goes back to the queue that it came
from, under a new id, whatever its state, unless it is running. A job whose unique key
another one has meanwhile is left as it is.`,
  })
}
