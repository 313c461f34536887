import { INSPECTED_OF_STRANGERS, PassingBody } from '../../../src/agents/passing-body';

const EVENT = '"hook_event_name":"PreToolUse"';
const filler = '"a":1,'.repeat(Math.ceil(INSPECTED_OF_STRANGERS / 6));

async function spottedIn(body: string, limit: number) {
  const passing = new PassingBody();
  const spotted = passing.spotted(limit);
  for (let at = 0; at < body.length; at += 64 * 1024) passing.write(body.slice(at, at + 64 * 1024));
  passing.end();
  return (await spotted).objects;
}

it('inspects the beginning of a body, as far as its limit', async () => {
  const found = [{ hook_event_name: { value: 'PreToolUse', isAmbiguous: false } }];
  expect(await spottedIn(`{${EVENT},${filler}"b":2}`, INSPECTED_OF_STRANGERS)).toEqual(found);
  expect(await spottedIn(`{${filler}${EVENT}}`, INSPECTED_OF_STRANGERS)).toEqual([]);
  expect(await spottedIn(`{${filler}${EVENT}}`, Infinity)).toEqual(found);
});
