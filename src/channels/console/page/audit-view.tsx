import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { visibleLine } from '../../../cards/visible-text/visible-text';
import type { ChainVerdict } from '../../../audit/walk-chain';
import { api, bodyOf } from './api';
import { readAuditFilter, type AuditFilter } from './audit-filter';
import { Empty, Failure, Loading, Moment } from './notes';
import { saveFile } from './save-file';
import { TEXTS } from './texts';

const T = TEXTS.audit;
const PAGE = '50';
const SHORT = 8;
/** The end of the first digits of a hash, behind `sha256:`. */
const HASH_SHORT = 15;

function Verdict({ verdict }: { verdict: ChainVerdict }) {
  const { firstBad, rows, checkpoints, uncovered } = verdict;
  if (firstBad !== null)
    return (
      <p className="fault" role="alert">
        <strong>{T.broken(firstBad.seq)}</strong> {firstBad.reason}
      </p>
    );
  return (
    <div role="status">
      <p className="holds">{T.holds(rows, checkpoints)}</p>
      <p className="hint">
        {checkpoints === 0 ? T.noCheckpoint : uncovered > 0 ? T.uncovered(uncovered) : T.covered}{' '}
        {T.elsewhere}
      </p>
    </div>
  );
}

/** Works on the whole log, with progress: verifies it in this browser, or makes a file of it. */
function WholeLog({ about }: { about: number }) {
  const [done, setDone] = useState(0);
  const work = useMutation({
    mutationFn: async (what: 'verify' | 'save') => {
      setDone(0);
      const { verifyAudit, exportAudit } = await import('./audit-check');
      if (what === 'verify') return verifyAudit(setDone);
      saveFile(await exportAudit(setDone), 'countersign-audit.jsonl');
      return null;
    },
  });
  const checkpoint = useMutation({ mutationFn: () => bodyOf(api.POST('/api/audit/checkpoints')) });
  const signed = checkpoint.data?.checkpoint;
  return (
    <section className="panel stack whole-log" aria-label={T.wholeLog}>
      <div className="actions">
        <button
          type="button"
          className="primary"
          disabled={work.isPending}
          onClick={() => work.mutate('verify')}
        >
          {T.verify}
        </button>
        <button type="button" disabled={work.isPending} onClick={() => work.mutate('save')}>
          {T.download}
        </button>
        <button type="button" disabled={checkpoint.isPending} onClick={() => checkpoint.mutate()}>
          {T.checkpoint}
        </button>
      </div>
      {work.isPending && (
        <p role="status">
          <progress aria-label={T.wholeLog} max={Math.max(about, done, 1)} value={done} /> {T.progress(done)}
        </p>
      )}
      {(work.error ?? checkpoint.error) && (
        <p className="fault" role="alert">
          {(work.error ?? checkpoint.error)?.message}
        </p>
      )}
      {work.data && <Verdict verdict={work.data} />}
      {checkpoint.data && (
        <div role="status">
          <p className="hint">{signed ? T.checkpointNote : T.nothingSealed}</p>
          {signed && (
            <button
              type="button"
              onClick={() =>
                saveFile(
                  new Blob([`${JSON.stringify({ checkpoint: signed })}\n`]),
                  'countersign-checkpoint.jsonl',
                )
              }
            >
              {T.saveCheckpoint}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

function Filters({ filter }: { filter: AuditFilter }) {
  const navigate = useNavigate();
  return (
    <form
      className="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const search = readAuditFilter(Object.fromEntries(new FormData(event.currentTarget)));
        void navigate({ to: '/audit', search });
      }}
    >
      <label>
        {T.type}
        <input name="type" defaultValue={filter.type} placeholder="approval" autoComplete="off" />
      </label>
      <label>
        {T.actor}
        <input name="actor" defaultValue={filter.actor} placeholder="telegram:1000" autoComplete="off" />
      </label>
      <label>
        {T.request}
        <input name="request" defaultValue={filter.request} placeholder={T.requestId} autoComplete="off" />
      </label>
      <button type="submit">{TEXTS.history.filter}</button>
    </form>
  );
}

export default function AuditView({ filter }: { filter: AuditFilter }) {
  const pages = useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET('/api/audit/search', {
          params: {
            query: {
              limit: PAGE,
              ...(filter.type !== undefined && { type: filter.type }),
              ...(filter.actor !== undefined && { actor: filter.actor }),
              ...(filter.request !== undefined && { approvalId: filter.request }),
              ...(pageParam !== null && { before: pageParam }),
            },
          },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextBefore }) => (nextBefore === null ? null : String(nextBefore)),
    staleTime: 0,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const { columns } = T;
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
      </div>
      <p className="hint">{T.note}</p>
      <WholeLog about={items[0]?.seq ?? 0} />
      <Filters key={JSON.stringify(filter)} filter={filter} />
      {pages.error ? (
        <Failure error={pages.error} retry={() => void pages.refetch()} />
      ) : pages.isPending ? (
        <Loading />
      ) : items.length === 0 ? (
        <Empty title={T.empty}>{pages.hasNextPage ? T.emptySoFar : T.emptyNote}</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{columns.type}</th>
              <th scope="col">{columns.actor}</th>
              <th scope="col">{columns.request}</th>
              <th scope="col">{columns.data}</th>
              <th scope="col">{columns.seal}</th>
              <th scope="col">{columns.at}</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ seq, at, type, actor, approvalId, data, hash }) => (
              <tr key={seq}>
                <td data-label={columns.type}>
                  {type} <span className="hint">#{seq}</span>
                </td>
                <td data-label={columns.actor}>{visibleLine(actor)}</td>
                <td data-label={columns.request}>
                  {approvalId === null ? (
                    '–'
                  ) : (
                    <Link to="/requests/$id" params={{ id: approvalId }}>
                      <code>{approvalId.slice(-SHORT)}</code>
                    </Link>
                  )}
                </td>
                <td data-label={columns.data}>
                  <details>
                    <summary>{T.show}</summary>
                    <code>{visibleLine(JSON.stringify(data))}</code>
                  </details>
                </td>
                <td data-label={columns.seal}>
                  {hash === null ? T.unsealed : <code title={hash}>{hash.slice(7, HASH_SHORT)}</code>}
                </td>
                <td data-label={columns.at}>
                  <Moment at={at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {pages.hasNextPage && (
        <p className="next">
          <button
            type="button"
            disabled={pages.isFetchingNextPage}
            onClick={() => void pages.fetchNextPage()}
          >
            {pages.isFetchingNextPage ? TEXTS.loading : T.more}
          </button>
        </p>
      )}
    </div>
  );
}
