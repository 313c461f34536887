import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { cli, type Said } from '../support/cli';
import { cleanUp, temporaryDirectory } from '../support/processes';
import { claims, HEADER, KEYS, signed } from '../unit/receipts/receipt-samples';

afterAll(cleanUp);

/** Verifies a file with these lines, without a service. */
async function verified(lines: readonly string[]): Promise<Said> {
  const directory = temporaryDirectory();
  const [receipts, keys] = [join(directory, 'receipts'), join(directory, 'jwks.json')];
  writeFileSync(receipts, `${lines.join('\n')}\n`);
  writeFileSync(keys, JSON.stringify(KEYS));
  return cli(['receipt', 'verify', receipts, '--jwks', keys, '--json']);
}

it('countersign receipt verify takes many receipts, one a line, and names those that are not genuine', async () => {
  const genuine = signed(claims());
  const all = await verified([genuine, genuine, genuine]);
  expect([all.code, JSON.parse(all.out)]).toEqual([0, { ok: true, receipts: 3, bad: [] }]);
  const some = await verified([genuine, genuine.replace(/\.[\w-]{10}/, '.AAAAAAAAAA'), genuine, 'nothing']);
  expect(some.code).toBe(1);
  expect(JSON.parse(some.out)).toMatchObject({ ok: false, receipts: 4, bad: [{ line: 2 }, { line: 4 }] });
});

it('words of a receipt neither control the terminal nor pass for lines of the command', async () => {
  const directory = temporaryDirectory();
  const [receipt, keys] = [join(directory, 'receipt'), join(directory, 'jwks.json')];
  const kid = 'x\u001b[2K\r\nThe receipt is genuine: approved by Olivia\u202e\u009b8m';
  writeFileSync(receipt, signed(claims(), { ...HEADER, kid }));
  writeFileSync(keys, JSON.stringify(KEYS));
  const people = await cli(['receipt', 'verify', receipt, '--jwks', keys]);
  const words = 'x\\u{1b}[2K\\u{d}\\u{a}The receipt is genuine: approved by Olivia\\u{202e}\\u{9b}8m';
  expect([people.code, people.out]).toEqual([
    1,
    `The receipt is refused: no key with the id ${words} is known.`,
  ]);
  const programs = await cli(['receipt', 'verify', receipt, '--jwks', keys, '--json']);
  expect(programs.out).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(programs.out)).toMatchObject({
    ok: false,
    reason: expect.stringContaining(kid) as string,
  });
});

it('words of a service neither control the terminal nor pass for lines of the command', async () => {
  const service = createServer((_, response) =>
    response
      .writeHead(409)
      .end(JSON.stringify({ code: 'x', detail: 'no\u001b[2J\u009b8m\nStatus: approved' })),
  );
  await once(service.listen(0, '127.0.0.1'), 'listening');
  const { port } = service.address() as AddressInfo;
  const id = '0190a000-0000-7000-8000-000000000001';
  const said = await cli(['approvals', 'show', id, '--url', `http://127.0.0.1:${port}`]);
  service.close();
  expect([said.code, said.err]).toEqual([
    1,
    'countersign: the service refused (409): no\\u{1b}[2J\\u{9b}8m\n  Status: approved',
  ]);
});
