/* Packages that only some providers need, loaded when they are used for the first time. */
import { ProviderError } from '../lib/provider.ts'

/** What `load` imports; if `name` is not installed, a ProviderError that says what to do. */
export async function loadPeer<T> (load: () => Promise<T>, name: string, provider: string): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && error.message.includes(`'${name}'`))) throw error
    throw new ProviderError(`The provider "${provider}" needs the package "${name}": npm install ${name}`, { code: 'PROVIDER_NOT_INSTALLED', cause: error })
  }
}
