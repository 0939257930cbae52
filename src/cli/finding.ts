/** What doctor finds: one fact after another, each good, worth knowing, or in need of care. */
export interface Finding {
  readonly about: string
  readonly state: 'ok' | 'note' | 'bad'
  readonly text: string
}

export function ok(about: string, text: string): Finding {
  return { about, state: 'ok', text }
}

export function note(about: string, text: string): Finding {
  return { about, state: 'note', text }
}

export function bad(about: string, text: string): Finding {
  return { about, state: 'bad', text }
}
