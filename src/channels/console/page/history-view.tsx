import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { beginning } from '../../../cards/excerpt';
import { visibleLine } from '../../../cards/visible-text/visible-text';
import { api, bodyOf, type Approval, type Status } from './api';
import { Empty, Failure, Loading, Moment, StatusBadge } from './notes';
import { TEXTS } from './texts';

const T = TEXTS.history;
const PAGE = '50';
/** Characters of an action that a line of the table shows. */
const MAX_SUMMARY = 300;

export interface Filter {
  readonly status?: Status;
  readonly agent?: string;
  readonly session?: string;
}

const isStatus = (value: unknown): value is Status => typeof value === 'string' && value in TEXTS.status;
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Reads the filter from an address, which may contain anything. */
export function readFilter(search: Record<string, unknown>): Filter {
  const [agent, session] = [text(search.agent), text(search.session)];
  return {
    ...(isStatus(search.status) && { status: search.status }),
    ...(agent !== null && { agent }),
    ...(session !== null && { session }),
  };
}

/** A short name of the action; the request itself shows all of it. */
function summaryOf({ toolInput }: Approval): string {
  const { command, file_path: path } = toolInput as Record<string, unknown>;
  const whole = text(command) ?? text(path) ?? JSON.stringify(toolInput);
  // One more, so that the cut is seen.
  return beginning(visibleLine(whole.slice(0, MAX_SUMMARY + 1)), MAX_SUMMARY);
}

function save(items: readonly Approval[]): void {
  const lines = items.map((item) => `${JSON.stringify(item)}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: 'application/jsonl' }));
  Object.assign(document.createElement('a'), { href: url, download: 'countersign-history.jsonl' }).click();
  URL.revokeObjectURL(url);
}

function Filters({ filter }: { filter: Filter }) {
  const navigate = useNavigate();
  return (
    <form
      className="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const search = readFilter(Object.fromEntries(new FormData(event.currentTarget)));
        void navigate({ to: '/history', search });
      }}
    >
      <label>
        {T.status}
        <select name="status" defaultValue={filter.status ?? ''}>
          <option value="">{T.all}</option>
          {Object.entries(TEXTS.status).map(([status, name]) => (
            <option key={status} value={status}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        {T.agent}
        <input id="agent" name="agent" defaultValue={filter.agent} placeholder={T.exact} autoComplete="off" />
      </label>
      <label>
        {T.session}
        <input name="session" defaultValue={filter.session} placeholder={T.exact} autoComplete="off" />
      </label>
      <button type="submit">{T.filter}</button>
    </form>
  );
}

function Rows({ items }: { items: readonly Approval[] }) {
  const { columns } = T;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{columns.what}</th>
          <th scope="col">{columns.status}</th>
          <th scope="col">{columns.agent}</th>
          <th scope="col">{columns.by}</th>
          <th scope="col">{columns.when}</th>
        </tr>
      </thead>
      <tbody>
        {items.map((item) => (
          <tr key={item.id}>
            <td data-label={columns.what}>
              <Link to="/requests/$id" params={{ id: item.id }}>
                <code>{summaryOf(item)}</code>
              </Link>
              <span className="hint">{visibleLine(item.toolName)}</span>
            </td>
            <td data-label={columns.status}>
              <StatusBadge status={item.status} />
            </td>
            <td data-label={columns.agent}>{visibleLine(item.agentId)}</td>
            <td data-label={columns.by}>{visibleLine(item.decision?.by.name ?? '–')}</td>
            <td data-label={columns.when}>
              <Moment at={item.createdAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function HistoryView({ filter }: { filter: Filter }) {
  const pages = useInfiniteQuery({
    queryKey: ['history', filter],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET('/api/approvals', {
          params: {
            query: {
              limit: PAGE,
              ...(filter.status !== undefined && { status: filter.status }),
              ...(filter.agent !== undefined && { agentId: filter.agent }),
              ...(filter.session !== undefined && { sessionId: filter.session }),
              ...(pageParam !== null && { cursor: pageParam }),
            },
          },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    staleTime: 0,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="page">
      <div className="page-head">
        <h1>{T.title}</h1>
        {items.length > 0 && (
          <button type="button" className="quiet" onClick={() => save(items)}>
            {T.export}
          </button>
        )}
      </div>
      <Filters key={JSON.stringify(filter)} filter={filter} />
      {pages.error ? (
        <Failure error={pages.error} retry={() => void pages.refetch()} />
      ) : pages.isPending ? (
        <Loading />
      ) : items.length === 0 ? (
        <Empty title={T.empty}>{T.emptyNote}</Empty>
      ) : (
        <Rows items={items} />
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
