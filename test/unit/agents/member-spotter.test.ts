import fc from 'fast-check';
import { MemberSpotter, membersOf, type Spotted } from '../../../src/agents/member-spotter';

type Member = 'id' | 'method' | 'tool' | 'event';
const WANTED = {
  id: ['id'],
  method: ['method'],
  tool: ['params', 'name'],
  event: ['hook_event_name'],
} as const;

function spottedIn(text: string | Uint8Array, pieceLength = 7): Spotted<Member> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const spotter = new MemberSpotter<Member>(WANTED);
  for (let place = 0; place < bytes.length; place += pieceLength)
    spotter.take(bytes.subarray(place, place + pieceLength));
  return spotter.end();
}

type Values = Partial<Record<Member, unknown>>;

const valuesOf = ({ objects }: Spotted<Member>): Values[] =>
  objects.map((members) =>
    Object.fromEntries(Object.entries(members).map(([name, member]) => [name, member.value])),
  );

const requestsIn = (text: string | Uint8Array, pieceLength?: number): Values[] =>
  valuesOf(spottedIn(text, pieceLength));

const call = (id: string | number, name: string, input: unknown) => ({
  // In the order in which the SDK's own client writes it.
  method: 'tools/call',
  params: { name, arguments: { tool_name: 'Bash', input } },
  jsonrpc: '2.0',
  id,
});

const CALL: Values = { id: 7, method: 'tools/call', tool: 'approve' };

it.each<[string, string, readonly Values[]]>([
  ['a call', JSON.stringify(call(7, 'approve', {})), [CALL]],
  [
    'one with another order',
    '{"id":7,"params":{"arguments":{},"name":"approve"},"method":"tools/call"}',
    [CALL],
  ],
  ['one with white space', JSON.stringify(call(7, 'approve', { a: [1] }), null, 2), [CALL]],
  ['one with a text as id', JSON.stringify(call('a"\\b', 'approve', {})), [{ ...CALL, id: 'a"\\b' }]],
  ['one without a tool', '{"id":7,"method":"tools/call"}', [{ id: 7, method: 'tools/call' }]],
  [
    'all of a batch',
    JSON.stringify([call(1, 'approve', {}), { method: 'x' }, { id: 2, method: 'ping' }]),
    [{ ...CALL, id: 1 }, { method: 'x' }, { id: 2, method: 'ping' }],
  ],
  [
    'one that is cut off',
    '{"id":7,"method":"tools/call","params":{"name":"approve","arguments":{"x":"',
    [CALL],
  ],
  [
    'one with what is no JSON behind',
    '{"id":7,"method":"tools/call","params":{"name":"approve","arguments":{x',
    [CALL],
  ],
  ['an id that is an object as none', '{"id":{"id":7},"method":"x"}', [{ id: undefined, method: 'x' }]],
  ['a name that is escaped', '{"hook_event_n\\u0061me":"St\\u006fp"}', [{ event: 'Stop' }]],
  ['no name that is a path', '{"params.name":"approve","params":{"x":{"name":"approve"}}}', []],
  ['nothing behind the end', '{"id":7} {"id":8}', [{ id: 7 }]],
  ['nothing behind a bracket too many', ']{"a":{"id":8}}', []],
  ['nothing in nothing', '', []],
  ['nothing in garbage', ']]}}"\\', []],
])('finds %s', (_what, text, expected) => {
  expect(requestsIn(text)).toEqual(expected);
});

it('finds nothing in the action of a call, whatever that holds', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), fc.integer({ min: 1, max: 50 }), (input, key, pieceLength) => {
      const lookalike = { id: 8, method: 'ping', params: { name: 'other' }, [key]: input };
      const text = JSON.stringify(
        call(7, 'approve', { lookalike, text: JSON.stringify(lookalike), list: [lookalike] }),
      );
      expect(requestsIn(text, pieceLength)).toEqual([CALL]);
    }),
  );
});

it('finds what JSON.parse finds', () => {
  const names = fc.constantFrom('id', 'method', 'params', 'name', 'hook_event_name', 'other');
  const inner = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const nested = fc.dictionary(names, fc.oneof(inner, fc.dictionary(names, inner), fc.array(inner)));
  const object = fc.dictionary(names, fc.oneof(inner, nested, fc.array(nested)));
  const flat = (value: unknown) => (typeof value === 'object' && value !== null ? undefined : value);
  fc.assert(
    fc.property(fc.oneof(object, fc.array(object)), fc.integer({ min: 1, max: 50 }), (body, pieceLength) => {
      const expected = valuesOf(membersOf<Member>(body, WANTED))
        .map((values) =>
          Object.fromEntries(Object.entries(values).map(([name, value]) => [name, flat(value)])),
        )
        .filter((values) => Object.keys(values).length > 0);
      const found = spottedIn(JSON.stringify(body), pieceLength);
      expect(valuesOf(found)).toEqual(expected);
      expect(found.isList).toBe(Array.isArray(body));
    }),
  );
});

it.each([
  ['the same twice', '{"id":7,"id":7}', 7, false],
  ['two values', '{"id":7,"id":8}', 8, true],
  ['two values, and the first again', '{"id":7,"id":8,"id":7}', 7, true],
  ['a text and an object', '{"id":7,"id":{}}', undefined, true],
  ['two spellings', '{"id":7,"\\u0069d":8}', 8, true],
])('takes the last of %s, and says if they differ', (_what, text, value, isAmbiguous) => {
  expect(spottedIn(text).objects).toEqual([{ id: { value, isAmbiguous } }]);
});

it('never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(requestsIn(bytes).length).toBeLessThanOrEqual(100);
    }),
  );
});

it('keeps no more of a long value than it needs', () => {
  const spotter = new MemberSpotter<Member>(WANTED);
  spotter.take(Buffer.from('{"id":"'));
  for (let pieces = 0; pieces < 100; pieces++) spotter.take(Buffer.alloc(10_000, 'x'));
  expect(JSON.stringify(spotter).length).toBeLessThan(10_000);
});

it.each([
  ['members', (n: number) => `{${'"id":1,"id":2,"x":3,'.repeat(n)}"id":4}`],
  ['members of a member', (n: number) => `{"params":{${'"name":"a","x":3,'.repeat(n)}"name":"b"}}`],
  ['texts', (n: number) => `{"id":[${'"a",'.repeat(n)}1]}`],
  ['objects', (n: number) => `[${'{"id":1},'.repeat(n)}{}]`],
])('decodes no more of many %s than of a few', (_what, of) => {
  const parse = jest.spyOn(JSON, 'parse');
  const decoded = [200, 5_000].map((n) => {
    parse.mockClear();
    spottedIn(of(n), 1000);
    return parse.mock.calls.length;
  });
  parse.mockRestore();
  expect(decoded[1]).toBe(decoded[0]);
});
