/* What providers there are, for people who build pages. */
import { runsError } from '../protocol/errors.ts'
import type { KeptSession, ProviderView } from '../protocol/words.ts'
import { MAX_NATIVE_ID_LENGTH } from '../protocol/limits.ts'
import { type Provider, providerFailure } from './provider.ts'

/** So many of an agent's sessions are looked at: those that are known do not count for what is asked for. */
const MAX_KEPT = 500
/** Of what an agent says of a session, in characters. */
const MAX_TEXT = 512

/** What clients may set where a provider says nothing. */
const NO_OPTIONS = { type: 'object', properties: {}, additionalProperties: false }

/** The providers, in the order in which they were registered. */
export function providerViews (providers: ReadonlyMap<string, Provider>, defaultProvider: string | null): ProviderView[] {
  return [...providers].map(([name, provider]) => ({
    name,
    isDefault: name === defaultProvider,
    options: (provider.optionsSchema ?? NO_OPTIONS) as Record<string, unknown>,
    abilities: { ...provider.abilities?.(), keptSessions: provider.listSessions !== undefined }
  }))
}

/** What a provider's agent has kept and no session goes on with. Rejects with UNSUPPORTED_PROVIDER, PROVIDER_UNAVAILABLE. */
export async function keptSessions (
  providers: ReadonlyMap<string, Provider>, known: (name: string, ids: string[]) => Promise<string[]>, name: string, limit: number
): Promise<KeptSession[]> {
  const provider = providers.get(name)
  if (provider === undefined) throw runsError('UNSUPPORTED_PROVIDER', [`There is no provider "${name}".`])
  if (provider.listSessions === undefined) throw runsError('UNSUPPORTED_PROVIDER', [`The provider "${name}" does not list its sessions.`])
  const kept = await listOf(provider).catch((error: unknown) => {
    throw runsError('PROVIDER_UNAVAILABLE', [providerFailure(error)?.message ?? 'it failed.'], { cause: error })
  })
  // One that could not be adopted is none.
  const usable = kept.filter(({ id }) => typeof id === 'string' && id !== '' && id.length <= MAX_NATIVE_ID_LENGTH).slice(0, MAX_KEPT)
  const taken = new Set(await known(name, usable.map(({ id }) => id)))
  return usable.filter(({ id }) => !taken.has(id)).slice(0, limit)
    .map(({ title, cwd, ...session }) => ({ ...session, ...(title && { title: title.slice(0, MAX_TEXT) }), ...(cwd && { cwd: cwd.slice(0, MAX_TEXT) }) }))
}

/** Rejects with whatever the provider throws. */
async function listOf (provider: Provider): Promise<KeptSession[]> {
  return provider.listSessions!({ limit: MAX_KEPT })
}
