import neostandard, { plugins } from 'neostandard'

const tseslint = plugins['typescript-eslint']

export default [
  ...neostandard({ ts: true, ignores: ['**/dist', '.bench', '.tap', 'db/sqlite/migrations'] }),
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
    files: ['{lib,db,plugins,routes,transports,providers,client,standalone,scripts}/**/*.ts', 'index.ts', 'bin.ts'],
    rules: {
      ...Object.assign({}, ...tseslint.configs.strictTypeChecked.map(({ rules }) => rules)),
      // Numbers are fine in texts.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      // `return refuse()` leaves early.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // What a contract wants to be asynchronous rejects, and never throws.
      '@typescript-eslint/require-await': 'off',
      // Types promise what hosts and agents in plain JavaScript do not keep: what they give is checked all the same.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-boolean-literal-compare': 'off',
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      '@typescript-eslint/no-useless-default-assignment': 'off',
      // `noUncheckedIndexedAccess` asks for it where the line above has looked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Methods of our contracts that are passed on alone do without `this`, or are called with it.
      '@typescript-eslint/unbound-method': 'off',
      // Iterators of others are typed as `any` once they are done.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: 'tap' }] }]
    }
  },
  // Generated.
  { files: ['lib/protocol/words.ts'], rules: { 'max-lines': 'off' } },
  {
    files: ['playground/**/*.js'],
    rules: { 'max-lines': ['error', 300], 'no-console': 'error' }
  }
]
