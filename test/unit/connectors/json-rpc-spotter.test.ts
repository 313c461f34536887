import fc from 'fast-check';
import { JsonRpcSpotter, type SpottedRequest } from '../../../src/connectors/json-rpc-spotter';

function requestsIn(text: string | Uint8Array, pieceLength = 7): readonly SpottedRequest[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const spotter = new JsonRpcSpotter();
  for (let place = 0; place < bytes.length; place += pieceLength)
    spotter.take(bytes.subarray(place, place + pieceLength));
  spotter.end();
  return spotter.requests;
}

const call = (id: string | number, name: string, input: unknown) => ({
  // In the order in which the SDK's own client writes it.
  method: 'tools/call',
  params: { name, arguments: { tool_name: 'Bash', input } },
  jsonrpc: '2.0',
  id,
});

const CALL: SpottedRequest = { id: 7, method: 'tools/call', tool: 'approve' };

it.each<[string, string, readonly SpottedRequest[]]>([
  ['a call', JSON.stringify(call(7, 'approve', {})), [CALL]],
  [
    'one with another order',
    '{"id":7,"params":{"arguments":{},"name":"approve"},"method":"tools/call"}',
    [CALL],
  ],
  ['one with white space', JSON.stringify(call(7, 'approve', { a: [1] }), null, 2), [CALL]],
  ['one with a text as id', JSON.stringify(call('a"\\b', 'approve', {})), [{ ...CALL, id: 'a"\\b' }]],
  ['one without a tool', '{"id":7,"method":"tools/call"}', [{ ...CALL, tool: null }]],
  [
    'all of a batch, and no notification',
    JSON.stringify([call(1, 'approve', {}), { method: 'x' }, { id: 2, method: 'ping' }]),
    [
      { ...CALL, id: 1 },
      { id: 2, method: 'ping', tool: null },
    ],
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
  ['none in what has no id', '{"method":"tools/call"}', []],
  ['none in an id that is an object', '{"id":{"id":7},"method":"tools/call"}', []],
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

it('never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(requestsIn(bytes).length).toBeLessThanOrEqual(100);
    }),
  );
});

it('keeps no more of a long value than it needs', () => {
  const spotter = new JsonRpcSpotter();
  spotter.take(Buffer.from('{"id":"'));
  for (let pieces = 0; pieces < 100; pieces++) spotter.take(Buffer.alloc(10_000, 'x'));
  expect(JSON.stringify(spotter).length).toBeLessThan(10_000);
});
