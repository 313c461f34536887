import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../../support/processes';

/** What security rests on, in order; docs/threat-model.md says what each stops. */
const PROPERTIES = [
  'only listed numeric ids decide',
  'empty operators means nobody',
  'messages sent as a chat or by anonymous admins never decide',
  'the webhook secret is mandatory',
  'forged, replayed, reordered updates have no effect',
  'one decision wins',
  'expired never approves',
  'the complete action is shown or cannot be approved',
  'what is shown is what is bound',
  'hidden and confusable characters are visible',
  'message structure cannot be injected',
  'canonical JSON is unambiguous',
  'receipts verify strictly',
  'keys rotate without a restart',
  'agents see only their own',
  'idempotency is exact',
  'floods are bounded per agent',
  'secrets never leave',
  'the audit log shows alteration',
  'agents fail closed',
  'size, shape and time limits hold',
].map((property, index) => ({ number: index + 1, property }));

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
