/* What stores and providers are proved with. */
import '../lib/common/node-version.ts'

export type { StoreHarness, TestDatabase, TestRunner } from './harness.ts'
export { MemoryDatabase } from '../db/memory/database.ts'
export { memoryStore, type MemoryStoreOptions } from '../db/memory/store.ts'
export { type ProviderHarness, providerSuite } from './provider.ts'
export { storeSuite } from './store.ts'
