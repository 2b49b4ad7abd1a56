import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import regexp from 'eslint-plugin-regexp';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import { rules as circles } from './tools/workspace/import-circles.mjs';

/** Within `libs/push`, only `nest` may import the framework and its dependencies. */
const framework = {
  group: ['@nestjs/*', 'rxjs', 'rxjs/*', 'reflect-metadata'],
  message: 'Only libs/push/src/nest knows the framework.',
};

/** The protocol and the library know no messages: each program brings its own catalog. */
const ownMessages = {
  group: ['@crossfade/protocol/catalog', '**/catalog/*'],
  message: "Crossfade's own messages are for the gateway and the apps.",
};

/** The two tags of every project: its type, and its side of the wire. */
const depConstraints = [
  { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:lib'] },
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:lib'] },
  { sourceTag: 'type:e2e', onlyDependOnLibsWithTags: ['type:lib', 'type:tool'] },
  { sourceTag: 'type:tool', onlyDependOnLibsWithTags: ['type:lib', 'type:tool'] },
  { sourceTag: 'side:shared', onlyDependOnLibsWithTags: ['side:shared'] },
  { sourceTag: 'side:server', onlyDependOnLibsWithTags: ['side:shared', 'side:server'] },
  { sourceTag: 'side:client', onlyDependOnLibsWithTags: ['side:shared', 'side:client'] },
];

/** The folders of `apps/gateway/src`, in order. Files beside them, such as `app.module.ts`, come last. */
const gatewayFolders = [
  'parsing',
  'process',
  'redis',
  'database',
  'http',
  'access',
  'identity',
  'organizations',
  'events',
  'notifications',
  'push',
  'api-docs',
];

export default ts.config(
  {
    ignores: [
      '**/dist',
      '**/build',
      '**/.svelte-kit',
      '**/out-tsc',
      '**/node_modules',
      '.nx',
      '**/migrations',
    ],
  },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs['flat/recommended'],
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-undef': 'off',
      eqeqeq: 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      // NestJS' modules and controllers are classes by design.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.property.name=/^(only|skip|todo)$/][callee.object.name=/^(it|test|describe)$/]',
          message: 'No focused or skipped test is committed.',
        },
      ],
    },
  },
  {
    // An expression that backtracks, or starts again at every character, takes quadratic time on text from outside.
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential' }],
    },
  },
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs', '**/*.svelte'],
    plugins: { '@nx': nx, crossfade: { rules: circles } },
    rules: {
      'crossfade/no-import-circles': 'error',
      'crossfade/no-folder-circles': 'error',
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: true,
          allow: ['^.*/eslint\\.config\\.js$', '^.*/vitest\\.base\\.ts$'],
          depConstraints,
        },
      ],
    },
  },
  {
    // A file is read as a whole. A test is read one sentence at a time, and may be as long as its subject.
    files: ['**/*.ts', '**/*.js', '**/*.mjs', '**/*.svelte'],
    ignores: ['**/*.spec.*', '**/*.spec-kit.*'],
    rules: { 'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }] },
  },
  {
    files: ['libs/push/src/nest/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/*.spec-kit.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [ownMessages] }] },
  },
  {
    files: ['libs/push/src/**/*.ts'],
    ignores: ['libs/push/src/nest/**', '**/*.spec.ts', '**/*.spec-kit.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [framework, ownMessages] }] },
  },
  {
    files: ['libs/push/src/**/*.spec.ts', 'libs/push/src/**/*.spec-kit.ts'],
    ignores: ['libs/push/src/nest/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: [framework] }] },
  },
  {
    files: ['libs/protocol/src/**/*.ts'],
    ignores: ['libs/protocol/src/catalog/**', '**/*.spec.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [ownMessages] }] },
  },
  // In the gateway, a folder imports only from those before it.
  ...gatewayFolders.map((folder, index) => ({
    files: [`apps/gateway/src/${folder}/**/*.ts`],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...gatewayFolders.slice(index + 1).map((later) => ({
              regex: `^(?:\\.\\./)+${later}/`,
              message: `${folder}/ comes before ${later}/ and does not import from it.`,
            })),
            {
              regex: '^\\.\\./[^/]+\\.js$',
              message: `${folder}/ does not import the files beside the folders: they come last.`,
            },
          ],
        },
      ],
    },
  })),
);
