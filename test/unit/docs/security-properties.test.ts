import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../../support/processes';

/** The security properties; docs/threat-model.md says what each stops. A number is never reused, and some are unused. */
const PROPERTIES = Object.entries({
  1: 'only listed numeric ids decide',
  2: 'empty operators means nobody',
  3: 'messages sent as a chat or by anonymous admins never decide',
  4: 'the webhook secret is mandatory',
  5: 'forged, replayed, reordered updates have no effect',
  6: 'one decision wins',
  7: 'expired never approves',
  8: 'the complete action is shown or cannot be approved',
  9: 'what is shown is what is bound',
  10: 'hidden and confusable characters are visible',
  11: 'message structure cannot be injected',
  12: 'canonical JSON is unambiguous',
  13: 'receipts verify strictly',
  14: 'keys rotate without a restart',
  15: 'agents see only their own',
  16: 'idempotency is exact',
  17: 'floods are bounded per agent',
  18: 'secrets never leave',
  19: 'the audit log shows alteration',
  20: 'agents fail closed',
  21: 'size, shape and time limits hold',
  24: 'grants end',
  25: 'quorum counts people, not channels',
  26: 'the console lets nobody else in',
  27: 'a passkey decision is bound to the exact action',
  28: 'an id from outside identifies nothing alone',
}).map(([number, property]) => ({ number: Number(number), property }));

const DIRECTORY = join(CHECKOUT, 'test/e2e/security');
const sources = readdirSync(DIRECTORY).map((name) => readFileSync(join(DIRECTORY, name), 'utf8'));

it.each(PROPERTIES)('security $number, $property, has a test of that name', ({ number, property }) => {
  const title = new RegExp(`['"\`](security )?${number}[.:] ${property}`);
  expect(sources.some((source) => title.test(source))).toBe(true);
});

it('every property stands in the threat model, and no other', () => {
  const page = readFileSync(join(CHECKOUT, 'docs/threat-model.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, number]) => Number(number));
  expect(rows).toEqual(PROPERTIES.map(({ number }) => number));
});
