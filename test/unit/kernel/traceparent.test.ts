import { readTraceparent } from '../../../src/kernel/traceparent';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

it('reads the fields of version 00', () => {
  expect(readTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1 });
});

it.each([`01-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-01-what-the-future-brings`])(
  'reads the fields that a later version keeps: %s',
  (header) => {
    expect(readTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1 });
  },
);

it.each([
  '',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `01-${TRACE}-${SPAN}-01more`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE.slice(1)}-${SPAN}-01`,
])('does not read %j', (header) => {
  expect(readTraceparent(header)).toBeNull();
});
