/** Loaded before a service: tells its parent how many named statements it has sent. */
const { Client } = require('pg');

const { query } = Client.prototype;
let statements = 0;
Client.prototype.query = function counted(...args) {
  if (typeof args[0]?.name === 'string') statements++;
  return query.apply(this, args);
};
process.on('message', (message) => {
  if (message === 'statements') process.send(statements);
});
