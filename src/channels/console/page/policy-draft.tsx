import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useDeferredValue, useEffect, useRef, useState } from 'react';
import { Refusal } from './api';
import { ConfirmButton } from './confirm-button';
import { LineDiff } from './line-diff';
import { Loading } from './notes';
import {
  applyPolicy,
  checkPolicy,
  proposePolicy,
  testPolicy,
  type Finding,
  type Policy,
  type Replay,
} from './policy-api';
import type { Editor } from './policy-editor';
import { TEXTS } from './texts';

const T = TEXTS.policy;
const PolicyEditor = lazy(() => import('./policy-editor'));
/** The check waits until the writer rests that long. */
const REST_MS = 400;
const NO_FINDINGS: readonly Finding[] = [];
const BEGINNING = 'version: 1\nrules:\n  - id: \n';

function useRested(text: string): string {
  const [rested, setRested] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setRested(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return useDeferredValue(rested);
}

function Findings({ findings, goTo }: { findings: readonly Finding[]; goTo: (finding: Finding) => void }) {
  if (findings.length === 0) return <p className="hint">{T.noFindings}</p>;
  return (
    <ul className="findings">
      {findings.map((finding, i) => (
        <li key={i}>
          <button type="button" className={finding.severity} onClick={() => goTo(finding)}>
            <small>
              {T.severity[finding.severity]} · {T.at(finding.line, finding.column)}
              {finding.rule !== null && ` · ${finding.rule}`}
            </small>
            {finding.message} <small>{finding.fix}</small>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Result({ replay }: { replay: Replay }) {
  const { requests, allow, deny, ask, byRule, regressions } = replay;
  const figures = { requests, allow, deny, ask };
  const rules = Object.entries(byRule).toSorted(([, a], [, b]) => b - a);
  return (
    <section className="stack" aria-label={T.result}>
      <h2>{T.result}</h2>
      <dl className="figures">
        {Object.entries(figures).map(([name, value]) => (
          <div key={name}>
            <dt>{T.figures[name as keyof typeof figures]}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {regressions.length === 0 ? (
        <p className="hint">{T.noRegressions}</p>
      ) : (
        <div className="warnings" role="alert">
          <p>{T.regressions(regressions.length)}</p>
          <ul>
            {regressions.map(({ approvalId, rule, rejectedBy }) => (
              <li key={approvalId}>
                <Link to="/requests/$id" params={{ id: approvalId }}>
                  {T.rejectedBy(rule, rejectedBy)}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      )}
      {rules.length > 0 && (
        <table>
          <caption className="unseen">{T.byRule}</caption>
          <thead>
            <tr>
              <th scope="col">{T.rule}</th>
              <th scope="col">{T.count}</th>
            </tr>
          </thead>
          <tbody>
            {rules.map(([rule, count]) => (
              <tr key={rule}>
                <td data-label={T.rule}>
                  <code>{rule}</code>
                </td>
                <td data-label={T.count}>{count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** The editor: checks while somebody writes, tests on the last 7 days, and applies only what was tested. */
export function PolicyDraft({ policy }: { policy: Policy }) {
  const queries = useQueryClient();
  // Another person may apply meanwhile: the service refuses to replace a version that this draft did not begin with.
  const [begun, setBegun] = useState<Pick<Policy, 'source' | 'version'>>(policy);
  const [beginning] = useState(policy.source ?? BEGINNING);
  const [text, setText] = useState(beginning);
  const [done, setDone] = useState<number | null>(null);
  const editor = useRef<Editor>(null);
  const comment = useRef<HTMLInputElement>(null);
  const rested = useRested(text);
  const check = useQuery({
    queryKey: ['policy-check', rested],
    queryFn: () => checkPolicy(rested),
    placeholderData: keepPreviousData,
  });
  const test = useMutation({ mutationFn: (tested: string) => testPolicy(tested, setDone) });
  const change = () => ({ text, replaces: begun.version, comment: comment.current?.value.trim() ?? '' });
  const refresh = () => queries.invalidateQueries({ queryKey: ['policy'] });
  const apply = useMutation({
    mutationFn: (applied: string) => applyPolicy({ ...change(), text: applied }),
    onSuccess: ({ version }, applied) => setBegun({ source: applied, version }),
    onSettled: refresh,
  });
  const propose = useMutation({ mutationFn: () => proposePolicy(change()), onSettled: refresh });
  const findings = check.data?.findings ?? NO_FINDINGS;
  const isChecked = rested === text && check.data !== undefined && !check.isPlaceholderData;
  const isTested = test.data !== undefined && test.variables === text;
  const isSame = text === begun.source;
  const mayApply = isTested && isChecked && check.data.ok && !isSame;
  const isBusy = apply.isPending || propose.isPending || test.isPending;
  const needsSecond = apply.error instanceof Refusal && apply.error.code === 'policy.second-person';
  const fault = check.error ?? test.error ?? propose.error ?? apply.error;
  const act = () => apply.mutate(text);
  return (
    <div className="stack">
      {!policy.mayChange && <p className="hint">{T.onlyAdmins}</p>}
      <Suspense fallback={<Loading />}>
        <PolicyEditor ref={editor} text={beginning} findings={findings} onChange={setText} />
      </Suspense>
      <div role="status">{!isChecked && !check.error && <p className="hint">{T.checking}</p>}</div>
      {isChecked && <Findings findings={findings} goTo={(finding) => editor.current?.goTo(finding)} />}
      {fault && (
        <p className="fault" role="alert">
          {fault.message}
        </p>
      )}
      {!isSame && (
        <details>
          <summary>{T.changes}</summary>
          <LineDiff before={begun.source ?? ''} after={text} />
        </details>
      )}
      <div className="actions">
        <button
          type="button"
          disabled={isBusy || !isChecked || !check.data.ok}
          onClick={() => {
            setDone(null);
            test.mutate(text);
          }}
        >
          {test.isPending ? T.testing(done) : T.test}
        </button>
        {policy.mayChange && (
          <>
            <label className="unseen" htmlFor="comment">
              {T.comment}
            </label>
            <input
              id="comment"
              ref={comment}
              placeholder={T.commentHint}
              maxLength={300}
              autoComplete="off"
            />
            {isTested && test.data.regressions.length > 0 ? (
              <ConfirmButton
                words={T.apply}
                confirm={T.confirmApply}
                isBusy={isBusy || !mayApply}
                act={act}
              />
            ) : (
              <button type="button" className="primary" disabled={isBusy || !mayApply} onClick={act}>
                {T.apply}
              </button>
            )}
            {needsSecond && (
              <button type="button" disabled={isBusy || !mayApply} onClick={() => propose.mutate()}>
                {T.propose}
              </button>
            )}
          </>
        )}
        <span className="hint" role="status">
          {propose.isSuccess
            ? T.proposed
            : isSame
              ? T.unchanged
              : !isTested && !test.isPending
                ? T.testFirst
                : ''}
        </span>
      </div>
      {isTested && <Result replay={test.data} />}
    </div>
  );
}
