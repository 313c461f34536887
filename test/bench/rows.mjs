import breaker from './groups/breaker.mjs';
import cards from './groups/cards.mjs';
import enqueue from './groups/enqueue.mjs';
import growth from './groups/growth.mjs';
import memory from './groups/memory.mjs';
import policy from './groups/policy.mjs';
import stopping from './groups/stopping.mjs';
import sweep from './groups/sweep.mjs';
import telegram from './groups/telegram.mjs';
import waiting from './groups/waiting.mjs';

const atMost = (limit) => ({ target: `≤ ${limit}`, holds: (ratio) => ratio <= limit });
const atLeast = (limit) => ({ target: `≥ ${limit}`, holds: (ratio) => ratio >= limit });
const gated = true;

/** The ratios of the specification. Conditions beside a ratio (`also` of a result) are in its group. */
export const ROWS = [
  { n: 1, name: 'full enqueue ÷ raw INSERT server, throughput, 64 connections', ...atLeast(1), gated },
  { n: 2, name: 'the same, p99 latency', ...atMost(1) },
  { n: 3, name: 'enqueue ÷ raw, p50, one connection', ...atMost(1.5) },
  { n: 4, name: 'decision → waiter answered ÷ raw NOTIFY round trip, p50', ...atMost(5), gated },
  { n: 5, name: 'wake p50 with 10 000 waiters ÷ 200', ...atMost(1.5) },
  { n: 6, name: 'poll queries a second with 10 000 waiters ÷ 10', ...atMost(1.1) },
  { n: 7, name: 'sweep of 10 000 due rows ÷ one UPDATE … RETURNING', ...atMost(2), gated },
  { n: 8, name: 'the same with 3 replicas ÷ 1; no duplicates', ...atMost(1.2) },
  {
    n: 9,
    name: 'enqueue, read, decide, idle sweep with 1 000 000 rows ÷ 1 000, the worst',
    ...atMost(1.2),
    gated,
  },
  { n: 10, name: 'idle sweep after 50 000 settled under a snapshot ÷ fresh', ...atMost(1.5) },
  { n: 11, name: 'memory of a waiting call ÷ bare node:http; streams ≤ 1.6', ...atMost(1.5) },
  { n: 12, name: 'closed breaker ÷ bare async call; < 0.001 ms', ...atMost(6), gated },
  { n: 13, name: 'throughput with metrics on ÷ off; < 0.1 ms a recording', ...atLeast(0.98) },
  {
    n: 14,
    name: 'Telegram goodput ÷ limit, 3 replicas; no 429',
    target: '0.95–1.0',
    holds: (ratio) => ratio >= 0.95 && ratio <= 1,
  },
  { n: 15, name: 'redelivery after kill -9 ÷ lease', ...atMost(1.2), gated },
  { n: 16, name: 'SIGTERM with 10 000 waiters ÷ bare loop; no resets', ...atMost(2) },
  {
    n: 17,
    name: 'request that a rule of 1 000 allows ÷ raw INSERT server, throughput',
    ...atLeast(0.8),
    gated,
  },
  {
    n: 18,
    name: 'evaluation of 1 000 rules, parse included ÷ JSON.parse of the request; p99 < 1 ms',
    target: 'reported',
    holds: () => true,
    gated,
  },
  { n: 19, name: 'enqueue with a policy that asks ÷ without a policy, throughput', ...atLeast(0.97) },
  {
    n: 20,
    name: 'card of a 256 KiB action ÷ JSON.stringify of the action; p99 ≤ 2 ms',
    target: 'reported',
    holds: () => true,
  },
];

/** Groups of rows measured together, the short ones first. */
export const GROUPS = [
  ...breaker,
  ...cards,
  ...enqueue,
  ...policy,
  ...waiting,
  ...sweep,
  ...memory,
  ...telegram,
  ...stopping,
  ...growth,
];
