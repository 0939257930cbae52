// The end of a torture that does not come to its own.

/**
 * Aborts after so long, and when somebody wants the whole thing to end.
 *
 * @param {number} milliseconds
 * @returns {AbortSignal}
 */
export function endOf(milliseconds) {
  const over = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) {
    process.once(name, () => over.abort(new Error(`it was ended by ${name}`)))
  }
  // No AbortSignal.any of a timeout: Node 20 forgets it when nothing else refers to it.
  const late = () => over.abort(new Error(`it took more than ${milliseconds / 1_000} s`))
  setTimeout(late, milliseconds).unref()
  return over.signal
}

/** The promise, but not for longer than the signal lets it. */
export async function within(promise, signal) {
  signal.throwIfAborted()
  let fail
  const aborted = new Promise((_, reject) => {
    fail = () => reject(signal.reason)
    signal.addEventListener('abort', fail)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', fail)
  }
}
