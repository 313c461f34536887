import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { AGENT_KEY } from '../support/app';
import { requestBody } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { environmentFile } from '../support/deployment';
import { openTestApp, type OpenApp } from '../support/open-app';
import { CHECKOUT, cleanUp, freePort, Program } from '../support/processes';
import { until } from '../support/until';

const PROGRAM = '/usr/sbin/haproxy';
const missing = spawnSync(PROGRAM, ['-v']).error !== undefined;
if (missing) console.warn('SKIPPED: no HAProxy here: apt-get install haproxy');

/** The Host that a TLS proxy in front passes on. */
const PUBLIC = 'approvals.example.com';

(missing ? describe.skip : describe)(
  'behind HAProxy as deployed, on the settings of the systemd unit',
  () => {
    let database: TestDatabase;
    let app: OpenApp;
    let port: number;
    beforeAll(async () => {
      database = await createTestDatabase();
      const { HOST = '' } = environmentFile('deploy/systemd/countersign.env');
      app = await openTestApp(database.url, { HOST });
      port = await freePort();
      const replica = new URL(app.url).host;
      new Program(PROGRAM, ['-db', '-f', join(CHECKOUT, 'deploy/haproxy/haproxy.cfg')], {
        BIND: `127.0.0.1:${port}`,
        REPLICA_A: replica,
        REPLICA_B: replica,
      });
      await until('it passes requests on', async () => {
        const answer = await send('GET', '/health/live').catch(() => '');
        return answer.startsWith('HTTP/1.1 200');
      });
    });
    afterAll(async () => {
      await cleanUp();
      await app.close();
      await database.drop();
    });

    /** Byte for byte: clients tidy paths up. */
    function send(
      method: string,
      target: string,
      headers: readonly string[] = [],
      body = '',
    ): Promise<string> {
      return new Promise((resolve, reject) => {
        let answer = '';
        const socket = connect(port, '127.0.0.1');
        socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
        socket.once('error', reject).once('close', () => resolve(answer));
        const length = `Content-Length: ${Buffer.byteLength(body)}`;
        const lines = [
          `${method} ${target} HTTP/1.1`,
          `Host: ${PUBLIC}`,
          'Connection: close',
          length,
          ...headers,
        ];
        socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
      });
    }

    it.each([
      '/metrics',
      '/metrics/',
      '//metrics',
      '///metrics//',
      '/%6detrics',
      '/metric%73/',
      '/%6D%65%74%72%69%63%73',
      '/metrics?x=1',
      '/metrics#x',
      '/metrics;x',
      '/METRICS',
      '/metrics%2f',
      '/metrics%3fx',
      '/metrics%23x',
      '/%2fmetrics',
      '/%256detrics',
      '/./metrics',
      '/api/../metrics',
      'http://127.0.0.1/metrics',
      'http://127.0.0.1//metrics/',
    ])('metrics are not served at %s', async (target) => {
      for (const host of [[], ['X-Forwarded-Host: localhost']]) {
        const answer = await send('GET', target, host);
        expect(answer).toMatch(/^HTTP\/1\.[01] 4\d\d /);
        expect(answer).not.toMatch(/escalation_queue_size|process_cpu/);
      }
    });

    const key = [`Authorization: Bearer ${AGENT_KEY}`, 'Content-Type: application/json'];

    it('callers with a key are served under the name that the proxy passes on', async () => {
      const answer = await send('POST', '/api/approvals', key, JSON.stringify(requestBody()));
      expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    });

    it('so are the public keys of receipts, for everybody', async () => {
      expect(await send('GET', '/.well-known/jwks.json')).toMatch(/^HTTP\/1\.1 200 /);
    });

    it('a hook call without a valid key is a denial', async () => {
      const call = { hook_event_name: 'PreToolUse', session_id: 's', tool_name: 'Bash', tool_input: {} };
      const json = ['Content-Type: application/json'];
      const answer = await send('POST', '/connectors/claude-code/hook', json, JSON.stringify(call));
      expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*"permissionDecision":"deny"/);
    });
  },
);
