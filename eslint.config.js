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
    files: ['playground/**/*.js'],
    rules: { 'max-lines': ['error', 300], 'no-console': 'error' }
  }
]
