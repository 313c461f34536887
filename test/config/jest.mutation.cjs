/** For Stryker: pure tests of what it mutates, without a database; a mutant that hangs is found out soon. */
module.exports = {
  ...require('./jest.config.cjs'),
  globalSetup: undefined,
  globalTeardown: undefined,
  testMatch: [
    '<rootDir>/test/unit/resilience/**/*.test.ts',
    '<rootDir>/test/unit/approvals/approval.test.ts',
    '<rootDir>/test/unit/channels/retryability.test.ts',
  ],
  // The model-based test repeats thousands of steps for every mutant, and the others find the same.
  testPathIgnorePatterns: ['/node_modules/', '\\.model\\.test\\.ts$'],
  testTimeout: 2_000,
};
