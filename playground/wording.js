/* Codes and numbers in words. */

const ERRORS = {
  NETWORK: 'The server cannot be reached.',
  RUN_IN_PROGRESS: 'A run is running in this session: queue the message behind it, or interrupt it.',
  PERMISSION_ALREADY_RESOLVED: 'That has been answered already, or is not asked any more.',
  NO_ACTIVE_RUN: 'There is nothing to stop: the run has ended.',
  UNAUTHENTICATED: 'You are not logged in, or not any more.'
}

const REASONS = {
  aborted: 'Stopped',
  failed: 'Failed',
  interrupted: 'Interrupted',
  timeout: 'Took too long',
  finished: 'Finished'
}

const USAGE = { inputTokens: 'tokens in', outputTokens: 'tokens out' }

/** An error for people. */
export function wordsOfError (error) {
  const { code, message, retryAfter } = /** @type {any} */ (error)
  const words = ERRORS[code] ?? message ?? String(error)
  return typeof retryAfter === 'number' ? `${words} Try again in ${retryAfter} s.` : words
}

/** How a run ended, in a line. */
export function wordsOfEnding ({ reason, error, exitCode }) {
  const words = REASONS[reason] ?? reason
  if (error !== undefined) return `${words}: ${error.message} (${error.code})`
  return reason === 'failed' ? `${words}, with exit code ${exitCode}` : words
}

/** What a run used up, as far as it is numbers. */
export function wordsOfUsage (usage) {
  return Object.entries(usage ?? {})
    .filter(([, value]) => typeof value === 'number')
    .map(([name, value]) => `${value.toLocaleString('en')} ${USAGE[name] ?? name}`)
    .join(', ')
}

/** The text of a message's content; what is no text is named. */
export function textOfContent (content) {
  if (typeof content === 'string') return content
  return content.map((part) => part.type === 'text' ? part.text : `[${part.type} ${part.name ?? part.mimeType}]`).join('\n')
}

/** A value as people can read it. */
export function textOfValue (value) {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? ''
}

/** The first words of a text, as a title. */
export function titleOf (text) {
  const line = text.trim().split('\n', 1)[0]
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}
