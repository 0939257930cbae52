// The end of a torture that does not come to its own.

/** Aborts after so long, and when somebody wants the whole thing to end. */
export function endOf(milliseconds) {
  const wanted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM']) {
    process.once(name, () => wanted.abort(new Error(`it was ended by ${name}`)))
  }
  return AbortSignal.any([AbortSignal.timeout(milliseconds), wanted.signal])
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
