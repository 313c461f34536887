import { cleanUp, freePort, Service, temporaryDirectory } from '../support/processes';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { BOT_TOKEN, CHAT_ID } from '../support/well-known';

const PASSWORD = 'a-canary-in-a-url';
const PASTED = `ghp_${'Ab3'.repeat(12)}`;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await cleanUp();
  await database.drop();
});

it.each(['json', 'pretty'])(
  'a Telegram that cannot be reached puts neither token nor password into the %s log',
  async (format) => {
    const service = Service.launch({
      DATABASE_URL: database.url,
      DATA_DIR: temporaryDirectory(),
      LOG_FORMAT: format,
      LOG_LEVEL: 'trace',
      TELEGRAM_BOT_TOKEN: BOT_TOKEN,
      TELEGRAM_CHAT_ID: CHAT_ID,
      TELEGRAM_OPERATORS: '1:Olivia',
      // An error of the client names the whole URL.
      TELEGRAM_API_ROOT: `http://proxy:${PASSWORD}@127.0.0.1:${await freePort()}`,
    });
    await service.said('a call failed', (line) => /telegram\.call .*getMe|"telegram\.call"/.test(line));
    expect(await service.stop()).toMatchObject({ code: 0 });
    const everything = [...service.output, ...service.errors].join('\n');
    expect(everything).toContain('[redacted]');
    for (const canary of [PASSWORD, BOT_TOKEN.split(':')[1]]) expect(everything).not.toContain(canary);
  },
);

it('a start that fails repeats no secret that was put into the wrong variable', async () => {
  const service = Service.launch({
    TELEGRAM_BOT_TOKEN: BOT_TOKEN,
    TELEGRAM_CHAT_ID: CHAT_ID,
    TELEGRAM_OPERATORS: PASTED,
  });
  expect(await service.ended).toMatchObject({ code: 1 });
  const said = service.errors.join('\n');
  expect(said).toContain('TELEGRAM_OPERATORS');
  expect(said).toContain('[redacted]');
  expect(said).not.toContain(PASTED);
});
