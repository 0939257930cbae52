/**
 * The progress line: for work that takes longer than a moment, where somebody watches. It is drawn
 * over itself on the error stream and gone when the work ends, so results stay clean.
 */
import { TICK, TICK_AFTER } from './bounds.js'
import type { Shell } from './shell.js'
import type { Timer } from '../time/clock.js'

/** Runs `work` with a line that `say` words anew at each tick; it is told the seconds so far. */
export async function ticking<T>(
  shell: Shell,
  say: (seconds: number) => string,
  work: () => Promise<T>,
): Promise<T> {
  const { terminal, asked } = shell
  if (!terminal.isLive || asked.json) return work()
  const { clock } = terminal
  const begun = clock.mono()
  let timer: Timer
  const tick = (): void => {
    terminal.draw(say((clock.mono() - begun) / 1000))
    timer = clock.after(TICK, tick, { ref: false })
  }
  timer = clock.after(TICK_AFTER, tick, { ref: false })
  try {
    return await work()
  } finally {
    timer.cancel()
    terminal.draw('')
  }
}
