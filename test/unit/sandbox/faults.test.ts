import { Faults, faultError, faultSchema, type Fault } from '../../../src/sandbox/faults';
import { Ring } from '../../../src/sandbox/ring';

const fault = (fields: Partial<Fault>): Fault => faultSchema.parse({ method: '*', ...fields });

it('a fault hits as many calls as it says, and only those it names', () => {
  const faults = new Faults();
  faults.add(fault({ method: 'sendMessage', chat: -1001, count: 2, status: 500 }));
  expect(faults.take('getMe', undefined)).toBeNull();
  expect(faults.take('sendMessage', '5')).toBeNull();
  expect(faults.take('sendmessage', '-1001')?.status).toBe(500);
  expect(faults.list()[0]?.left).toBe(1);
  expect(faults.take('sendMessage', '-1001')?.status).toBe(500);
  expect(faults.take('sendMessage', '-1001')).toBeNull();
});

it('the first that fits is taken, and clearing takes all', () => {
  const faults = new Faults();
  faults.add(fault({ status: 502 }));
  faults.add(fault({ status: 503 }));
  expect(faults.take('getMe', undefined)?.status).toBe(502);
  faults.clear();
  expect(faults.take('getMe', undefined)).toBeNull();
});

it('a probability spares the rest without using the fault up', () => {
  const rolls = [0.5, 0.05];
  const faults = new Faults(() => rolls.shift() ?? 1);
  faults.add(fault({ probability: 0.1, count: 1 }));
  expect(faults.take('getMe', undefined)).toBeNull();
  expect(faults.take('getMe', undefined)).not.toBeNull();
});

it("429 carries retry_after in Telegram's words", () => {
  expect(faultError(fault({ status: 429, retryAfter: 10_000 }))?.toJSON()).toEqual({
    ok: false,
    error_code: 429,
    description: 'Too Many Requests: retry after 10000',
    parameters: { retry_after: 10_000 },
  });
});

it('a ring forgets its oldest', () => {
  const ring = new Ring<number>(3);
  for (let i = 1; i <= 5; i++) ring.push(i);
  expect(ring.list()).toEqual([3, 4, 5]);
});
