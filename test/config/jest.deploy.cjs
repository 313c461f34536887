/** Whole installations, as the documents make them: one file at a time, since each takes the machine. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/deploy/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
};
