/** Processes that are killed, stopped and frozen: one file at a time, so that what they measure is theirs. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/chaos/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
};
