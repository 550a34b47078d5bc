/* The public surface of `fastify-agent-runs/dialects`. */
import '../../lib/common/node-version.ts'

export { agUiDialect } from './ag-ui/index.ts'
export { aiSdkDialect } from './ai-sdk/index.ts'
export type { Dialect, DialectEncoder, DialectRequest, DialectStream } from './dialect.ts'
