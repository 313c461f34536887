/** The real Claude Code from npm, one run after the other: npm run test:claude. */
/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/claude'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/test/claude/set-up.ts',
  globalTeardown: '<rootDir>/test/claude/tear-down.ts',
  maxWorkers: 1,
  collectCoverage: false,
};
