import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cli, type Said } from '../support/cli';
import { cleanUp, temporaryDirectory } from '../support/processes';
import { claims, KEYS, signed } from '../unit/receipts/receipt-samples';

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
