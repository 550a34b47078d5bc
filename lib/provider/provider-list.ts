/* What providers there are, for people who build pages. */
import { runsError } from '../protocol/errors.ts'
import type { KeptSession, ProviderView } from '../protocol/words.ts'
import type { Store } from '../store/store.ts'
import { type Provider, providerFailure } from './provider.ts'

/** The providers, in the order in which they were registered. */
export function providerViews (providers: ReadonlyMap<string, Provider>, defaultProvider: string | null): ProviderView[] {
  return [...providers].map(([name, provider]) => ({
    name,
    isDefault: name === defaultProvider,
    options: (provider.optionsSchema ?? {}) as Record<string, unknown>,
    abilities: { ...provider.abilities?.(), keptSessions: provider.listSessions !== undefined }
  }))
}

/** What a provider's agent has kept and no session goes on with. Rejects with UNSUPPORTED_PROVIDER, PROVIDER_UNAVAILABLE. */
export async function keptSessions (providers: ReadonlyMap<string, Provider>, store: Pick<Store, 'knownProviderSessions'>, name: string, limit: number): Promise<KeptSession[]> {
  const provider = providers.get(name)
  if (provider === undefined) throw runsError('UNSUPPORTED_PROVIDER', [`There is no provider "${name}".`])
  if (provider.listSessions === undefined) throw runsError('UNSUPPORTED_PROVIDER', [`The provider "${name}" does not list its sessions.`])
  const kept = await provider.listSessions({ limit }).catch((error: unknown) => {
    throw runsError('PROVIDER_UNAVAILABLE', [providerFailure(error)?.message ?? 'it failed.'], { cause: error })
  })
  const known = new Set(await store.knownProviderSessions(name, kept.slice(0, limit).map(({ id }) => id)))
  return kept.slice(0, limit).filter(({ id }) => !known.has(id))
}
