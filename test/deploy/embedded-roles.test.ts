import { Client } from 'pg';
import { joinEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { Api } from '../support/api';
import { cli } from '../support/cli';
import { cleanUp, Service, temporaryDirectory } from '../support/processes';
import { AGENT_KEY, OPERATOR_KEY } from '../support/well-known';

let dataDir: string;
let service: Service;
let asService: Client;

beforeAll(async () => {
  dataDir = temporaryDirectory();
  service = await Service.start({ DATA_DIR: dataDir });
  const { body } = await new Api(service.url).enqueue();
  expect(body.status).toBe('pending');
  const running = await joinEmbeddedPostgres(dataDir);
  asService = new Client({ connectionString: running?.url });
  await asService.connect();
});
afterAll(async () => {
  await asService.end();
  await service.stop();
  await cleanUp();
});

const INSUFFICIENT_PRIVILEGE = '42501';

describe('a service with its embedded database', () => {
  it('works as a role that may add to the audit log', async () => {
    const { rows } = await asService.query<{ role: string; rows: number }>(
      'select current_user as role, count(*)::int as rows from audit_log',
    );
    expect(rows).toEqual([{ role: 'countersign', rows: expect.any(Number) as number }]);
    expect(rows[0]?.rows).toBeGreaterThan(0);
  });

  it.each([
    `update audit_log set actor = 'nobody:0'`,
    'delete from audit_log',
    'truncate audit_log',
    'update audit_seals set previous = hash',
    'delete from audit_checkpoints',
    'drop table audit_log',
    'alter table audit_log add column more text',
    'alter table audit_log disable trigger all',
    'set role countersign_owner',
    'create temporary table audit_seals (number bigint)',
  ])('is refused to %s', async (statement) => {
    await expect(asService.query(statement)).rejects.toMatchObject({ code: INSUFFICIENT_PRIVILEGE });
  });

  it('is told so by the doctor', async () => {
    const { out } = await cli(['doctor'], {
      DATA_DIR: dataDir,
      AGENT_API_KEY: AGENT_KEY,
      OPERATOR_API_KEY: OPERATOR_KEY,
      COUNTERSIGN_URL: service.url,
      COUNTERSIGN_KEY: OPERATOR_KEY,
    });
    expect(out).toMatch(/^✓ audit-rights +append-only for countersign$/m);
    expect(out).toMatch(/^✓ signing-key /m);
    expect(out).toMatch(/^✓ audit-chain +\d+ rows hold/m);
  });
});
