/** For Stryker: the send budget on real PostgreSQL, since its rules are SQL. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/integration/send-budget.test.ts'],
  maxWorkers: 1,
};
