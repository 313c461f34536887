import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** CONTRIBUTING.md, "English": a docstring begins with a verb or a noun. */
const OPENING = /^\*[\s*]*(?:What|Who|Whoever|Which|Whether|How)\b/;

const english = {
  rules: {
    'docstring-opening': {
      create: ({ sourceCode, report }) => ({
        Program() {
          for (const comment of sourceCode.getAllComments())
            if (comment.type === 'Block' && OPENING.test(comment.value))
              report({
                loc: comment.loc,
                message: 'Begin a docstring with a verb or a noun, not with a question word.',
              });
        },
      }),
    },
  },
};

const WALL_CLOCK =
  'A test must not assert how long something took. Wait for a condition (until), hold a clock, count steps, or compare the order of events.';

export default tseslint.config(
  { ignores: ['dist/**', 'coverage/**', 'src/sandbox/page/**'] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  { plugins: { english }, rules: { 'english/docstring-opening': 'error' } },
  {
    languageOptions: {
      parserOptions: { project: './test/tsconfig.json', tsconfigRootDir: `${import.meta.dirname}/../..` },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Nest modules, and the ports that are type and token at once, are classes without members.
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Nest declares its option objects as classes.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // The page of the console runs in a browser, and has settings of its own.
    files: ['src/channels/console/page/**'],
    languageOptions: {
      parserOptions: { project: './src/channels/console/page/tsconfig.json' },
    },
    rules: {
      // A text of a template is for a person; numbers and the like are welcome.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
    },
  },
  {
    files: ['src/cli/**', 'src/sandbox/main.ts', 'src/database/migrate.ts', 'test/**'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['src/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['node:readline', 'node:readline/promises', 'readline', 'readline/promises'].map((name) => ({
            name,
            message: 'On Node.js 24 it ends lines at U+2028, which JSON may hold. Use kernel/lines.ts.',
          })),
        },
      ],
    },
  },
  {
    // How fast a machine is must not decide whether these pass. What is measured belongs to test/bench and test/load.
    files: ['test/unit/**', 'test/integration/**', 'test/e2e/**', 'test/checks/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          // The clock of the wall or of the process, in a comparison that a slow machine fails.
          ['performance', 'now'],
          ['Date', 'now'],
          ['process', 'hrtime'],
        ].map(([object, property]) => ({
          selector: `CallExpression[callee.property.name=/^toBeLessThan/] CallExpression[callee.object.name='${object}'][callee.property.name='${property}']`,
          message: WALL_CLOCK,
        })),
        ...[
          '> Identifier[name=/^(took|elapsed|duration|(took|elapsed|duration|after|late)(Ms|Seconds))$/]',
          'MemberExpression > Identifier.property[name=/^(took|elapsed|duration|after|late)(Ms|Seconds)$/]',
          "> BinaryExpression[operator='-'] > Identifier[name=/Ms$/]",
        ].map((measured) => ({
          selector: `CallExpression[callee.property.name=/^toBeLessThan/] CallExpression[callee.name='expect'] ${measured}`,
          message: WALL_CLOCK,
        })),
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      '@typescript-eslint/no-require-imports': 'off',
    },
    languageOptions: {
      ...tseslint.configs.disableTypeChecked.languageOptions,
      globals: {
        __dirname: 'readonly',
        module: 'readonly',
        require: 'readonly',
        process: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        global: 'readonly',
      },
    },
  },
);
