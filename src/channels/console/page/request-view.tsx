import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ActionParts, Marked } from './action-parts';
import { api, bodyOf, Refusal, type Action, type Approval } from './api';
import { ClaimBar } from './claim-bar';
import { DecisionBar } from './decision-bar';
import { EraseBar } from './erase-bar';
import { Empty, Failure, Loading, Moment, StatusBadge } from './notes';
import { needsCertainPeople, Quorum } from './quorum';
import { ReceiptNote } from './receipt-note';
import { TEXTS } from './texts';
import { TimeLeft } from './time-left';

const T = TEXTS.request;

/** Decisions of other people, which are no events yet. */
const LOOK_MS = 3_000;

function Outcome({ approval, action }: { approval: Approval; action: Action }) {
  const { settledAt, acknowledged, inputErased } = approval;
  const reason = action.outcome?.reason ?? null;
  return (
    <section className={`outcome ${approval.status}`} aria-label={TEXTS.status[approval.status]}>
      <dl className="facts">
        <div>
          <dt>{T.by}</dt>
          <dd>{action.outcome?.by ?? T.nobody}</dd>
        </div>
        {settledAt !== null && (
          <div>
            <dt>{T.at}</dt>
            <dd>
              <Moment at={settledAt} />
            </dd>
          </div>
        )}
        {reason !== null && (
          <div>
            <dt>{T.reason}</dt>
            <dd>
              <Marked text={reason} />
            </dd>
          </div>
        )}
        {inputErased !== null && (
          <div>
            <dt>{TEXTS.erasure.erased}</dt>
            <dd>
              <Marked text={TEXTS.erasure.by(inputErased.by.name, inputErased.reason)} />
              {' · '}
              <Moment at={inputErased.at} />
            </dd>
          </div>
        )}
        {acknowledged !== null && (
          <div>
            <dt>{T.agentDid}</dt>
            <dd>{TEXTS.acknowledged[acknowledged]}</dd>
          </div>
        )}
        <div>
          <dt>{T.receipt}</dt>
          <dd>
            <ReceiptNote approval={approval} />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Details({ approval, action }: { approval: Approval; action: Action }) {
  const { policy } = approval;
  const rules = policy?.rules.join(', ') ?? '';
  const optional = (label: string, text: string | null = null) =>
    text === null ? [] : [[label, text] as const];
  const facts: readonly (readonly [string, string])[] = [
    ...action.fields.map(({ label, text }) => [label, text] as const),
    [T.policy, rules === '' ? T.noPolicy : T.asks(rules)],
    ...optional(T.class, policy?.class),
    ...optional(T.doubt, policy?.doubt),
    [T.requestId, approval.id],
    [T.digest, approval.inputDigest],
  ];
  return (
    <section>
      <h2>{T.details}</h2>
      <dl className="facts">
        {facts.map(([label, text]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <Marked text={text} />
            </dd>
          </div>
        ))}
        <div>
          <dt>{T.asked}</dt>
          <dd>
            <Moment at={approval.createdAt} />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Earlier({ earlier }: { earlier: Action['earlier'] }) {
  if (earlier.length === 0) return null;
  return (
    <section>
      <h2>{T.ledTo}</h2>
      <ol className="earlier">
        {earlier.map(({ title, status, rule }, i) => (
          <li key={i}>
            <StatusBadge status={status} />
            <span>{title}</span>
            {rule !== null && <span className="hint">{rule}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Complete({ approval, action, next }: { approval: Approval; action: Action; next: string | null }) {
  const isPending = approval.status === 'pending';
  return (
    <>
      <article className="request">
        <header>
          <Link to="/" className="back">
            <span aria-hidden="true">←</span> {TEXTS.views.inbox}
          </Link>
          <div className="state">
            <StatusBadge status={approval.status} />
            {isPending && <TimeLeft createdAt={approval.createdAt} expiresAt={approval.expiresAt} />}
          </div>
          <h1>{action.title}</h1>
        </header>
        {!isPending && <Outcome approval={approval} action={action} />}
        <Quorum approval={approval} />
        {isPending && <ClaimBar approval={approval} />}
        {action.warnings.length > 0 && (
          <section className="warnings" aria-label={T.warnings}>
            <ul>
              {action.warnings.map(({ text }) => (
                <li key={text}>
                  <Marked text={text} />
                </li>
              ))}
            </ul>
          </section>
        )}
        <section>
          <h2 className="unseen">{T.action}</h2>
          <ActionParts parts={action.parts} />
        </section>
        <Earlier earlier={action.earlier} />
        <Details approval={approval} action={action} />
        {action.mayErase && <EraseBar id={approval.id} />}
        {!isPending && next !== null && (
          <p className="next">
            <Link to="/requests/$id" params={{ id: next }} className="button">
              {T.next}
            </Link>
          </p>
        )}
      </article>
      {isPending && (
        <DecisionBar
          id={approval.id}
          verdicts={action.verdicts.map(({ verdict }) => verdict)}
          displayDigest={action.displayDigest}
          needsReason={approval.required.reason === 'required'}
          display={action.display}
          needsPasskey={approval.required.via === 'console'}
        />
      )}
    </>
  );
}

/**
 * @param isPending the inbox has it; when that changes, somebody has decided
 * @param change of another person, who claimed it or gave it more time
 */
export function RequestView({
  id,
  isPending,
  change,
  next,
}: {
  id: string;
  isPending: boolean;
  change: string;
  next: string | null;
}) {
  const queries = useQueryClient();
  const path = { params: { path: { id } } };
  const approval = useQuery({
    queryKey: ['approval', id],
    queryFn: () => bodyOf(api.GET('/api/approvals/{id}', { params: { path: { id }, query: {} } })),
    refetchInterval: ({ state: { data } }) =>
      data?.status === 'pending' && needsCertainPeople(data) ? LOOK_MS : false,
  });
  const action = useQuery({
    queryKey: ['action', id],
    queryFn: () => bodyOf(api.GET('/api/approvals/{id}/display', path)),
  });
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ['approval', id] });
    void queries.invalidateQueries({ queryKey: ['action', id] });
  }, [queries, id, isPending, change]);
  const error = approval.error ?? action.error;
  if (error instanceof Refusal && (error.status === 404 || error.status === 400))
    return <Empty title={T.gone}>{error.message}</Empty>;
  if (approval.data && action.data)
    return <Complete approval={approval.data} action={action.data} next={next} />;
  if (error)
    return (
      <Failure
        error={error}
        retry={() => void queries.invalidateQueries({ predicate: (q) => q.queryKey[1] === id })}
      />
    );
  return <Loading />;
}
