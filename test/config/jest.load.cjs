/** Services under load: one file at a time, so that each has the machine. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/load/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 240_000,
  maxWorkers: 1,
};
