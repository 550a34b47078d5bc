/* What a turn has used, as agents tell it with their answer. */

type Counts = Record<string, unknown>

/** Names of the protocol and of Gemini CLI → ours. */
const NAMES: Record<string, string> = {
  inputTokens: 'inputTokens',
  outputTokens: 'outputTokens',
  totalTokens: 'totalTokens',
  thoughtTokens: 'reasoningTokens',
  cachedReadTokens: 'cacheReadTokens',
  cachedWriteTokens: 'cacheWriteTokens',
  input_tokens: 'inputTokens',
  output_tokens: 'outputTokens'
}

/** Empty if the agent does not say. */
export function usageOf (response: object): Record<string, number> {
  const { usage, _meta: meta } = response as { usage?: Counts, _meta?: { quota?: { token_count?: Counts } } | null }
  const counts = Object.entries(Object(usage ?? meta?.quota?.token_count) as Counts)
  return Object.fromEntries(counts.flatMap(([name, count]) => NAMES[name] !== undefined && Number.isInteger(count) ? [[NAMES[name], count as number]] : []))
}
