/** The real agents from npm, each with a scripted model, one run after the other: npm run test:agents. */
/** @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/agents'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/test/agents/support/set-up.ts',
  maxWorkers: 1,
  collectCoverage: false,
};
