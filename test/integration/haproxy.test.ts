import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { AGENT_KEY, OPERATOR_KEY } from '../support/app';
import { requestBody } from '../support/api';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { environmentFile } from '../support/deployment';
import { openTestApp, type OpenApp } from '../support/open-app';
import { CHECKOUT, cleanUp, freePort, Program, temporaryDirectory } from '../support/processes';
import { until } from '../support/until';

const PROGRAM = '/usr/sbin/haproxy';
const missing = spawnSync(PROGRAM, ['-v']).error !== undefined;
if (missing) console.warn('SKIPPED: no HAProxy here: apt-get install haproxy');

/** The Host that a TLS proxy in front passes on. */
const PUBLIC = 'approvals.example.com';

/** A certificate of the public name, and its key in the same file, as HAProxy reads them. */
function makeCertificate(path: string): void {
  const key = `${path}.key`;
  const subject = ['-subj', `/CN=${PUBLIC}`, '-addext', `subjectAltName=DNS:${PUBLIC}`];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', path], {
    stdio: 'ignore',
  });
  writeFileSync(path, readFileSync(path, 'utf8') + readFileSync(key, 'utf8'));
}

(missing ? describe.skip : describe)(
  'behind HAProxy as deployed, on the settings of the systemd unit',
  () => {
    let database: TestDatabase;
    let app: OpenApp;
    let port: number;
    let tlsPort: number;
    const certificate = join(temporaryDirectory(), 'certificate.pem');
    beforeAll(async () => {
      database = await createTestDatabase();
      const { HOST = '' } = environmentFile('deploy/systemd/countersign.env');
      app = await openTestApp(database.url, { HOST, CONSOLE_URL: `https://${PUBLIC}` });
      port = await freePort();
      tlsPort = await freePort();
      const replica = new URL(app.url).host;
      makeCertificate(certificate);
      const files = ['haproxy.cfg', 'tls.cfg'].flatMap((name) => [
        '-f',
        join(CHECKOUT, 'deploy/haproxy', name),
      ]);
      new Program(PROGRAM, ['-db', ...files], {
        BIND: `127.0.0.1:${port}`,
        TLS_BIND: `127.0.0.1:${tlsPort}`,
        TLS_CERTIFICATE: certificate,
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

    /** One call by TLS; the certificate is verified. */
    function sendByTls(method: string, path: string, headers: Record<string, string>, body?: unknown) {
      const options = { host: '127.0.0.1', port: tlsPort, servername: PUBLIC, ca: readFileSync(certificate) };
      const text = body === undefined ? undefined : JSON.stringify(body);
      const json = text === undefined ? {} : { 'content-type': 'application/json' };
      return new Promise<{ status: number; cookies: readonly string[] }>((resolve, reject) => {
        request({ ...options, method, path, headers: { host: PUBLIC, ...json, ...headers } }, (answer) => {
          answer.resume();
          resolve({ status: answer.statusCode ?? 0, cookies: answer.headers['set-cookie'] ?? [] });
        })
          .on('error', reject)
          .end(text);
      });
    }

    it('the console signs in by TLS at its address, with a cookie that only HTTPS carries', async () => {
      expect((await sendByTls('GET', '/console', {})).status).not.toBe(421);
      const page = { 'x-countersign-console': '1' };
      const signIn = (origin: string) =>
        sendByTls('POST', '/console/session', { ...page, origin }, { key: OPERATOR_KEY });
      const { status, cookies } = await signIn(`https://${PUBLIC}`);
      expect([status, cookies]).toEqual([
        204,
        [expect.stringMatching(/^__Host-countersign=[\w-]{43}; HttpOnly; SameSite=Strict; .*; Secure$/)],
      ]);
      const cookie = cookies[0]?.split(';')[0] ?? '';
      expect((await sendByTls('GET', '/api/approvals', { cookie })).status).toBe(200);
      expect((await signIn(`http://${PUBLIC}`)).status).toBe(403);
    });

    it('metrics are not served by TLS, either', async () => {
      expect((await sendByTls('GET', '//%6detrics/', {})).status).toBe(404);
    });

    it('a hook call without a valid key is a denial', async () => {
      const call = { hook_event_name: 'PreToolUse', session_id: 's', tool_name: 'Bash', tool_input: {} };
      const json = ['Content-Type: application/json'];
      const answer = await send('POST', '/connectors/claude-code/hook', json, JSON.stringify(call));
      expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*"permissionDecision":"deny"/);
    });
  },
);
