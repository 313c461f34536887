import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, bodyOf } from './api';
import { Failure, Loading } from './notes';
import { nameOf, useOperator } from './stream-context';
import { TEXTS } from './texts';
import { useSignOut } from './use-sign-out';

const T = TEXTS.system;
const REFRESH_MS = 5_000;

function Card({ title, facts }: { title: string; facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <section className="panel">
      <h2>{title}</h2>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const seconds = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;

async function readAll() {
  const [metrics, database, telegram, breaker, outbox] = await Promise.all([
    bodyOf(api.GET('/api/diagnostics/metrics')),
    bodyOf(api.GET('/api/diagnostics/database')),
    bodyOf(api.GET('/api/diagnostics/telegram')),
    bodyOf(api.GET('/api/diagnostics/circuit-breaker')),
    bodyOf(api.GET('/api/diagnostics/outbox')),
  ]);
  return { metrics, database, telegram, breaker, outbox };
}

export function SystemView() {
  const operator = nameOf(useOperator());
  const signOut = useSignOut();
  const system = useQuery({ queryKey: ['system'], queryFn: readAll, refetchInterval: REFRESH_MS });
  if (system.error && !system.data)
    return (
      <div className="page">
        <h1>{T.title}</h1>
        <Failure error={system.error} retry={() => void system.refetch()} />
      </div>
    );
  if (!system.data)
    return (
      <div className="page">
        <h1>{T.title}</h1>
        <Loading />
      </div>
    );
  const { metrics, database, telegram, breaker, outbox } = system.data;
  const { approvalStatistics: done, escalationQueue: queue } = metrics;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
        <span className="hint">{TEXTS.signedInAs(operator)}</span>
        <button type="button" onClick={() => signOut.mutate('everywhere')}>
          {TEXTS.signOutEverywhere}
        </button>
      </div>
      <div className="cards">
        <Card
          title={T.queue}
          facts={[
            ['Pending', queue.escalation_queue_size],
            ['Stored', queue.escalation_queue_enqueue_total],
            ['Approved', done.escalation_approvals_accepted_total],
            ['Rejected', done.escalation_approvals_rejected_total],
            ['Expired', done.escalation_approvals_timeout_total],
            ['Time to a decision, median', seconds(done.escalation_response_time_seconds.p50)],
            ['Time to a decision, 95 %', seconds(done.escalation_response_time_seconds.p95)],
          ]}
        />
        <Card
          title={T.telegram}
          facts={[
            ['Mode', telegram.mode],
            ['State', telegram.degradedBecause ?? T.healthy],
            [
              'Last error',
              telegram.lastError ? `${telegram.lastError.method}: ${telegram.lastError.reason}` : 'None',
            ],
            [T.breaker, breaker.state],
            ['Failure rate', `${Math.round(breaker.failureRate * 100)} %`],
          ]}
        />
        <Card
          title={T.outbox}
          facts={[
            ['Unsent', outbox.unsent],
            ['Dead letters', outbox.dead.length],
          ]}
        />
        <Card
          title={T.database}
          facts={[
            ['State', database.reachable ? T.healthy : (database.error ?? T.unhealthy)],
            ['Version', database.serverVersion ?? '–'],
            ['Round trip', database.roundTripMs === null ? '–' : `${database.roundTripMs.toFixed(1)} ms`],
            ['Connections in use', `${database.pool.total - database.pool.idle} of ${database.pool.max}`],
            ['Size', database.sizeBytes === null ? '–' : `${Math.round(database.sizeBytes / 1_048_576)} MiB`],
          ]}
        />
      </div>
    </div>
  );
}
