/** Only the fuzzers; an argument names one of them: npm run test:fuzz -- policy. */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/fuzz'],
};
