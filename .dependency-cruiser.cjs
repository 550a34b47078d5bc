/*
 * The walls of the house: who may import whom. `npm run lint` checks them; CONTRIBUTING.md says what each room is for.
 * A room is the longest of these paths that a file begins with. It may import itself and what stands behind it.
 */
const LIB = ['lib/protocol', 'lib/store', 'lib/provider', 'lib/streams', 'lib/runs', 'lib/common']
const ROOMS = {
  'lib/protocol': [],
  'lib/common': ['lib/protocol'],
  'lib/store': ['lib/protocol'],
  'lib/provider': ['lib/protocol', 'lib/common'],
  'lib/streams': ['lib/protocol', 'lib/common', 'lib/store'],
  'lib/runs': ['lib/protocol', 'lib/common', 'lib/store', 'lib/provider', 'lib/streams'],
  lib: LIB,
  'db/sqlite': ['lib/protocol', 'lib/common', 'lib/store'],
  'db/memory': ['lib/protocol', 'lib/common', 'lib/store'],
  'providers/common': ['lib/protocol', 'lib/provider', 'lib/common'],
  'providers/process': ['lib/protocol', 'lib/provider', 'lib/common'],
  providers: ['lib/protocol', 'lib/provider', 'lib/common', 'providers/common', 'providers/process'],
  'transports/sse': ['lib', ...LIB],
  'transports/websocket': ['lib', ...LIB],
  'transports/dialects': ['lib', ...LIB, 'transports/sse'],
  routes: ['lib', ...LIB, 'transports/sse', 'transports/websocket', 'transports/dialects'],
  plugins: ['lib', ...LIB, 'db/sqlite', 'routes', 'transports/sse', 'transports/websocket', 'transports/dialects'],
  conformance: ['lib', ...LIB, 'db/memory'],
  client: LIB,
  standalone: ['index.ts', 'lib', ...LIB, 'plugins', 'providers', 'routes'],
  'test/simulator': ['lib', ...LIB, 'db/sqlite', 'db/memory', 'conformance', 'test/helpers']
}
const OURS = '^(lib|db|providers|transports|routes|plugins|conformance|client|standalone|playground|examples|test|bench|index\\.ts|server\\.ts)'
const within = (room) => `^${room.replaceAll('.', '\\.')}(/|$)`

/** Packages that a room does not know: the domain has no HTTP and no SQL, a browser no Node. */
const PACKAGES = {
  '^lib/': '^(fastify|fastify-plugin|@fastify/(?!error)|drizzle-orm|better-sqlite3)|^(node:)?(http|net)$',
  '^db/': '^(fastify|fastify-plugin|@fastify/)|^(node:)?(http|net)$',
  '^(providers|transports|routes)/': '^(fastify-plugin|drizzle-orm|better-sqlite3)',
  '^client/': '^(fastify|fastify-plugin|@fastify/|typebox|drizzle-orm|better-sqlite3)',
  '^conformance/': '^(fastify|fastify-plugin|@fastify/|drizzle-orm|better-sqlite3|fast-check|tap)'
}

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(ROOMS).map(([room, others]) => ({
      name: `${room} may import ${['itself', ...others].join(', ')}`,
      severity: 'error',
      // The rooms inside have rules of their own.
      from: { path: within(room), pathNot: Object.keys(ROOMS).filter((inner) => inner.startsWith(`${room}/`)).map(within) },
      to: { path: OURS, pathNot: [room, ...others].map((other) => other === 'lib' ? '^lib/[^/]+$' : within(other)) }
    })),
    { name: 'client: types alone', severity: 'error', from: { path: '^client/' }, to: { path: '^lib/', dependencyTypesNot: ['type-only'] } },
    { name: 'client: no Node', severity: 'error', from: { path: '^client/' }, to: { dependencyTypes: ['core'] } },
    ...Object.entries(PACKAGES).map(([from, packages]) => ({
      name: `packages of ${from}`, severity: 'error', from: { path: from }, to: { path: packages.replaceAll('^(', '^(node_modules/)?('), dependencyTypesNot: ['local'] }
    })),
    { name: 'nothing but tests imports test/', severity: 'error', from: { pathNot: '^test/' }, to: { path: '^test/' } }
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: ['node_modules', '^dist/'] },
    exclude: { path: ['^dist/', '^client/dist/', '^standalone/dist/', '^\\.bench/'] }
  }
}
