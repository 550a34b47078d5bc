/* Packages that only some providers need, loaded when they are used for the first time. */
import { ProviderError } from '../../lib/provider/provider.ts'

/** What `load` imports; if `name` is not installed, a ProviderError that says what to do. */
export async function loadPeer<T> (load: () => Promise<T>, name: string, provider: string): Promise<T> {
  try {
    return await load()
  } catch (error) {
    // By its message: where hooks of the loader run in a thread of their own, the code is lost on the way.
    if (!(error instanceof Error && /^Cannot find (package|module) /.test(error.message) && error.message.includes(`'${name}'`))) throw error
    throw new ProviderError(`The provider "${provider}" needs the package "${name}": npm install ${name}`, { code: 'PROVIDER_NOT_INSTALLED', cause: error })
  }
}
