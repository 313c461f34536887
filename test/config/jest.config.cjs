/** @type {import('jest').Config} */
module.exports = {
  rootDir: '../..',
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // They start every program as a process of its own, or want the machine to themselves, or an installation:
  // npm run test:e2e, test:chaos, test:load, test:agents, test:claude, test:deploy.
  testPathIgnorePatterns: [
    '/node_modules/',
    '<rootDir>/test/e2e/[^/]+$',
    '<rootDir>/test/chaos/',
    '<rootDir>/test/load/',
    '<rootDir>/test/agents/',
    '<rootDir>/test/claude/',
    '<rootDir>/test/deploy/',
  ],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  transform: {
    '^.+\\.(t|j|mj)s$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  // A dynamic import names the compiled file.
  moduleNameMapper: { '^\\./otlp-tracing\\.js$': '<rootDir>/src/tracing/otlp-tracing.ts' },
  // These publish ES modules only, or import them while they run; Node does that, Jest must compile them.
  transformIgnorePatterns: [
    '/node_modules/(?!(jose|canonicalize|@opentelemetry|unbash|@marcbachmann|@agentclientprotocol|@decimalturn|openid-client|oauth4webapi)/)',
    '<rootDir>/dist/',
  ],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.data'],
  // Room for a slow and loaded machine: what is waited for is a condition, and usually there at once.
  testTimeout: 180_000,
  // Tests of real processes mostly wait for them.
  maxWorkers: 3,
  // Coverage is read of every script that the worker has loaded, so each test file takes longer than the one before.
  workerIdleMemoryLimit: '1GB',
  // A worker leaves its event loop at once, then gives back 500 MB and more, which takes up to a second on a busy
  // machine. Jest would kill it after half a second and tell of a leak; a handle that is really left open, it still tells.
  workerGracefulExitTimeout: 10_000,
  coverageProvider: 'v8',
  coverageReporters: ['text-summary', 'json-summary'],
  // What runs only as a program of its own is covered by tests that start it, and cannot be counted here.
  collectCoverageFrom: [
    'src/**/*.ts',
    'migrations/**/*.ts',
    '!src/**/main.ts',
    '!src/database/migrate.ts',
    '!src/cli/**',
    '!src/policy/thread/policy-thread.ts',
  ],
  coverageThreshold: {
    global: { lines: 90 },
    './src/approvals/timeout-sweeper.ts': { lines: 100 },
    './src/resilience/': { lines: 100 },
    './src/operations/metrics/': { lines: 100 },
  },
};
