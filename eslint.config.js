// Type-aware lint. The import rules hold the house up: which package may know which, and which file owns which library.
import simpleImportSort from 'eslint-plugin-simple-import-sort';
import tseslint from 'typescript-eslint';

/** Libraries that belong to one file each. */
const OWNED = [
  { name: 'pg', message: 'Only shared/src/db.ts talks to the driver.' },
  { name: 'pg-copy-streams', message: 'Only shared/src/db.ts talks to the driver.' },
  { name: 'p-retry', message: 'Only shared/src/http.ts retries.' },
  { name: 'posthog-node', message: 'Only shared/src/telemetry.ts tells PostHog.' },
  { name: 'node-cron', message: 'Only pipeline/src/commands/schedule.ts schedules.' },
];

export default tseslint.config(
  // The edge function's entry is Deno's; what it runs is in packages/.
  {
    ignores: [
      '**/node_modules/**',
      '.floyo/**',
      'packages/shared/src/db.types.ts',
      'eslint.config.js',
      'supabase/functions/**',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'simple-import-sort': simpleImportSort },
    rules: {
      'simple-import-sort/imports': ['error', { groups: [['^node:'], ['^@?\\w'], ['^@floyo/'], ['^\\.']] }],
      'no-console': 'error',
      'no-restricted-imports': ['error', { paths: OWNED }],
      // Which the rule above does not see.
      'no-restricted-syntax': [
        'error',
        {
          selector: "ImportExpression > Literal[value='posthog-node']",
          message: 'Only shared/src/telemetry.ts tells PostHog.',
        },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A signal's reason and a caught value are thrown on as they came.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  {
    files: ['packages/shared/src/db.ts', 'packages/shared/src/testing/*.ts', '**/*.test.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
  {
    files: ['packages/shared/src/http.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: OWNED.filter(({ name }) => name !== 'p-retry') }] },
  },
  {
    files: ['packages/shared/src/telemetry.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: OWNED.filter(({ name }) => name !== 'posthog-node') }],
      'no-restricted-syntax': 'off',
    },
  },
  {
    files: ['packages/pipeline/src/commands/schedule.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: OWNED.filter(({ name }) => name !== 'node-cron') }],
    },
  },
);
