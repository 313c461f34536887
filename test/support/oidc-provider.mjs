// A real OpenID provider from npm as a process of its own, on loopback. It tells its issuer when it listens, and serves after it
// was told the client. Everybody signs in with a name and any password, on the provider's own pages.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  process.send({ issuer: `http://127.0.0.1:${server.address().port}` });
});
process.on('message', ({ client }) => {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, {
    clients: [{ ...client, grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    pkce: { required: () => true },
    findAccount: (_, name) => ({
      accountId: name,
      claims: () => ({ sub: name, email: `${name}@example.org`, email_verified: name !== 'unverified' }),
    }),
  });
  server.on('request', provider.callback());
  process.send({ serving: true });
});
process.on('disconnect', () => process.exit());
