/* What stores and providers are proved with. */
import '../lib/node-version.ts'

export type { StoreHarness, TestDatabase, TestRunner } from './harness.ts'
export { MemoryDatabase } from './memory-database.ts'
export { memoryStore, type MemoryStoreOptions } from './memory-store.ts'
export { type ProviderHarness, providerSuite } from './provider.ts'
export { storeSuite } from './store.ts'
