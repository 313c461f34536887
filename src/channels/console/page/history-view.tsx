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

const NAMES = ['q', 'agent', 'session', 'tool', 'person', 'rule', 'from', 'to'] as const;

export type Filter = { readonly status?: Status } & Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

const isStatus = (value: unknown): value is Status => typeof value === 'string' && value in TEXTS.status;
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Reads the filter from an address, which may contain anything. */
export function readFilter(search: Record<string, unknown>): Filter {
  const given = NAMES.flatMap((name) => {
    const value = text(search[name]);
    return value === null ? [] : [[name, value] as const];
  });
  return { ...(isStatus(search.status) && { status: search.status }), ...Object.fromEntries(given) };
}

/** A day of the viewer as a time; the end of a filter includes its day. */
function timeOf(day: string, isEnd: boolean): string | null {
  const at = new Date(`${day}T00:00:00`);
  if (Number.isNaN(at.getTime())) return null;
  if (isEnd) at.setDate(at.getDate() + 1);
  return at.toISOString();
}

/** The filter in the words of the API. */
function queryOf({ status, agent, session, from, to, ...same }: Filter) {
  const [since, until] = [from && timeOf(from, false), to && timeOf(to, true)];
  return {
    ...same,
    ...(status !== undefined && { status }),
    ...(agent !== undefined && { agentId: agent }),
    ...(session !== undefined && { sessionId: session }),
    ...(since && { from: since }),
    ...(until && { to: until }),
  };
}

/** A short name of the action; the request itself shows all of it. */
function summaryOf({ toolInput }: Approval): string {
  const { command, file_path: path } = toolInput as Record<string, unknown>;
  const whole = text(command) ?? text(path) ?? JSON.stringify(toolInput);
  // One more, so that the cut is seen.
  return beginning(visibleLine(whole.slice(0, MAX_SUMMARY + 1)), MAX_SUMMARY);
}

/** Links of the whole list as a file; the browser saves it while the service reads on. */
function Exports({ filter }: { filter: Filter }) {
  return (
    <span className="actions">
      {(['csv', 'jsonl'] as const).map((format) => (
        <a
          key={format}
          className="button"
          href={`/api/approvals/export?${new URLSearchParams({ ...queryOf(filter), format }).toString()}`}
          download
        >
          {T.export[format]}
        </a>
      ))}
    </span>
  );
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
      <label className="search">
        {T.text}
        <input
          id="search"
          name="q"
          type="search"
          defaultValue={filter.q}
          placeholder={T.words}
          maxLength={200}
        />
      </label>
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
      {(['agent', 'session', 'tool', 'person', 'rule'] as const).map((name) => (
        <label key={name}>
          {T[name]}
          <input name={name} defaultValue={filter[name]} placeholder={T.exact} autoComplete="off" />
        </label>
      ))}
      {(['from', 'to'] as const).map((name) => (
        <label key={name}>
          {T[name]}
          <input name={name} type="date" defaultValue={filter[name]} />
        </label>
      ))}
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
              ...queryOf(filter),
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
        {items.length > 0 && <Exports filter={filter} />}
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
