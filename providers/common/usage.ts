/* Tokens that a model's answers took, as `complete` tells of them. */

/** Tokens, as far as the service counts them. */
export interface Usage {
  inputTokens: number
  outputTokens: number
  totalTokens: number
  reasoningTokens?: number
  cachedInputTokens?: number
}

/** Two usages as one; of none and one, the one. */
export function sum (one: Usage | null, other: Usage | null): Usage | null {
  if (one === null || other === null) return one ?? other
  const more = (field: 'reasoningTokens' | 'cachedInputTokens') => {
    const tokens = (one[field] ?? 0) + (other[field] ?? 0)
    return tokens > 0 ? { [field]: tokens } : {}
  }
  return {
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    totalTokens: one.totalTokens + other.totalTokens,
    ...more('reasoningTokens'),
    ...more('cachedInputTokens')
  }
}
