import { type Provider, ProviderError } from '../provider/provider.ts'

/** Stands for a provider that was there when the message was accepted. */
export function missingProvider (name: string): Provider {
  return {
    async * run () {
      throw new ProviderError(`There is no provider "${name}".`, { code: 'UNSUPPORTED_PROVIDER' })
    }
  }
}
