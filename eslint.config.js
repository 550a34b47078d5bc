import neostandard, { plugins } from 'neostandard'

const tseslint = plugins['typescript-eslint']

// Who may import whom. Each room lists what it must not know; `lib` knows nothing but itself.
const ROOMS = ['lib', 'db', 'providers', 'transports', 'routes', 'plugins', 'conformance', 'simulator', 'standalone', 'client', 'playground', 'examples', 'test', 'bench', 'index.ts', 'server.ts']
const MAY_IMPORT = {
  lib: [],
  db: ['lib'],
  providers: ['lib'],
  transports: ['lib'],
  routes: ['lib', 'transports'],
  plugins: ['lib', 'db', 'routes', 'transports'],
  conformance: ['lib'],
  client: ['lib'],
  examples: [],
  simulator: ['lib', 'db', 'conformance'],
  standalone: ['index.ts', 'lib', 'plugins', 'providers', 'routes'],
  bench: ['lib', 'db', 'providers', 'transports', 'routes', 'plugins', 'standalone', 'index.ts']
}
const PACKAGES = {
  lib: ['fastify', 'fastify/*', 'fastify-plugin', '@fastify/type-provider-typebox', 'drizzle-orm', 'drizzle-orm/*', 'better-sqlite3', 'node:http', 'node:net'],
  db: ['fastify', 'fastify-plugin', 'node:http', 'node:net'],
  providers: ['fastify', 'fastify-plugin', 'drizzle-orm', 'drizzle-orm/*', 'better-sqlite3'],
  transports: ['fastify', 'fastify-plugin', 'drizzle-orm', 'drizzle-orm/*', 'better-sqlite3'],
  routes: ['drizzle-orm', 'drizzle-orm/*', 'better-sqlite3'],
  // It runs in browsers; of ours it knows types alone.
  client: ['node:*', 'fastify', 'fastify-plugin', 'typebox', 'drizzle-orm', 'better-sqlite3'],
  // Whoever proves a store or a provider brings a runner of their own, and nothing else.
  conformance: ['fastify', 'fastify-plugin', 'drizzle-orm', 'drizzle-orm/*', 'better-sqlite3', 'fast-check', 'tap', 'node:test']
}

const walls = Object.entries(MAY_IMPORT).map(([room, rooms]) => ({
  files: [`${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [
        {
          group: ROOMS.filter((other) => other !== room && !rooms.includes(other)).map((other) => other.endsWith('.ts') ? `../${other}` : `../${other}/**`),
          message: `${room}/ may import only ${['itself', ...rooms].join(', ')}: see CONTRIBUTING.md.`
        },
        ...(PACKAGES[room] ? [{ group: PACKAGES[room], message: `${room}/ does not know that package: see CONTRIBUTING.md.` }] : [])
      ]
    }]
  }
}))

export default [
  ...neostandard({ ts: true, ignores: ['dist', '.bench', '.tap', 'db/migrations'] }),
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { '@typescript-eslint': tseslint.plugin },
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
    rules: {
      'max-lines': ['error', 300],
      'no-console': 'error',
      'no-void': ['error', { allowAsStatement: true }],
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: 'tap' }] }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    files: ['playground/**/*.js'],
    rules: { 'max-lines': ['error', 300], 'no-console': 'error' }
  },
  ...walls
]
