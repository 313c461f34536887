import { placeOf } from '../../../src/cli/connect/place';

it('the agents of a canary get the key of the command, and no secret of a service on the same machine', () => {
  const before = { ...process.env };
  Object.assign(process.env, {
    TELEGRAM_BOT_TOKEN: '7000000007:token',
    DATABASE_URL: 'postgres://x',
    COUNTERSIGN_KEY: 'another',
  });
  try {
    const { env } = placeOf({ url: 'http://127.0.0.1:1', key: 'agent-key' }, 'user');
    expect(env).toMatchObject({ COUNTERSIGN_KEY: 'agent-key', PATH: before.PATH });
    expect(Object.keys(env)).not.toContain('TELEGRAM_BOT_TOKEN');
    expect(Object.keys(env)).not.toContain('DATABASE_URL');
  } finally {
    process.env = before;
  }
});
