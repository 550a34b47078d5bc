/* What callers say of a session that is to be created. */
import { randomUUID } from 'node:crypto'
import { runsError } from './protocol/errors.ts'
import { MAX_NATIVE_ID_LENGTH } from './protocol/limits.ts'
import { assertMetadata, assertSessionId, assertTitle, ownerOf } from './protocol/session-input.ts'
import { ANONYMOUS, type Metadata } from './protocol/session.ts'
import type { NewSession } from './store/store.ts'

/** A session that a provider's agent has kept. */
export interface ProviderSession {
  provider: string
  /** The agent's own id of it. */
  id: string
}

/** A session that is to be created. */
export interface SessionInput {
  /** Default: random. */
  id?: string | undefined
  /** Default: `ANONYMOUS`. */
  owner?: string
  /** Who answers messages that name no provider. Default: that of `providerSession`, else the default provider. */
  provider?: string | undefined
  title?: string | undefined
  metadata?: Metadata | undefined
  /** The session to go on with. Default: a new one. */
  providerSession?: ProviderSession | undefined
}

/** The session with its defaults. Throws INVALID_REQUEST, UNSUPPORTED_PROVIDER. */
export function checkedSession ({ id = randomUUID(), providerSession, provider = providerSession?.provider, title, metadata = {}, ...options }: SessionInput, isProvider: (name: string) => boolean): NewSession & { providerSessionId: string | null } {
  const owner = ownerOf(options) ?? ANONYMOUS
  assertSessionId(id)
  assertTitle(title)
  if (provider !== undefined && !isProvider(provider)) throw runsError('UNSUPPORTED_PROVIDER', [`There is no provider "${provider}".`])
  assertMetadata(metadata)
  if (providerSession !== undefined) assertProviderSession(providerSession, provider)
  return { id, owner, provider: provider ?? null, title: title ?? null, metadata, providerSessionId: providerSession?.id ?? null }
}

function assertProviderSession ({ provider, id }: ProviderSession, ofSession: string | undefined): void {
  if (typeof id !== 'string' || id === '' || id.length > MAX_NATIVE_ID_LENGTH) throw runsError('INVALID_REQUEST', [`A provider's session id must be text of 1 to ${MAX_NATIVE_ID_LENGTH} characters.`])
  if (provider !== ofSession) throw runsError('INVALID_REQUEST', ['"providerSession" must be of the session\'s own provider.'])
}
