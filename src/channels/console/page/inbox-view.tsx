import { Link, useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import type { Item } from './inbox';
import { Empty, Loading } from './notes';
import { RequestView } from './request-view';
import { useStream } from './stream-context';
import { TEXTS } from './texts';
import { TimeLeft } from './time-left';
import { useKeys } from './use-keys';
import { useNow } from './use-now';

const T = TEXTS.inbox;
const EVERY_MS = 1_000;

interface Group {
  readonly session: string;
  readonly agent: string;
  readonly items: Item[];
}

/** The requests by session; the session whose request ends first comes first. */
function bySession(items: readonly Item[]): Group[] {
  const groups = new Map<string, Group>();
  for (const item of items) {
    const key = `${item.asker}\n${item.session}`;
    const group = groups.get(key) ?? { session: item.session, agent: item.agent, items: [] };
    group.items.push(item);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function Row({ item }: { item: Item }) {
  return (
    <li>
      <Link to="/requests/$id" params={{ id: item.id }} className="row" resetScroll={false}>
        <span className="row-title">{item.title}</span>
        <TimeLeft createdAt={item.createdAt} expiresAt={item.expiresAt} />
        <span className="row-line">{item.line}</span>
        <span className="row-meta">
          {item.agent} · {item.tool}
          <ClaimNote claim={item.claim} />
          {item.class !== null && item.class !== 'normal' && <span className="chip">{item.class}</span>}
        </span>
      </Link>
    </li>
  );
}

/** The person who is on it, as long as that lasts. */
function ClaimNote({ claim }: { claim: Item['claim'] }) {
  const now = useNow(EVERY_MS);
  if (claim === null || Date.parse(claim.until) <= now) return null;
  return <span className="chip">{TEXTS.claim[claim.kind](claim.who)}</span>;
}

/** Asks for the right to notify, and notifies of a request that arrives while the page is hidden. */
function Notifier() {
  const { arrived } = useStream();
  const [permission, setPermission] = useState(() =>
    'Notification' in window ? Notification.permission : 'denied',
  );
  useEffect(() => {
    if (!arrived || permission !== 'granted' || !document.hidden) return;
    const notice = new Notification(arrived.title, {
      body: `${arrived.agent} · ${arrived.tool}`,
      tag: arrived.id,
    });
    notice.onclick = () => window.focus();
  }, [arrived, permission]);
  if (permission === 'granted') return <span className="hint">{T.notifying}</span>;
  if (permission === 'denied') return null;
  return (
    <button
      type="button"
      className="quiet"
      onClick={() => void Notification.requestPermission().then(setPermission)}
    >
      {T.notify}
    </button>
  );
}

/** Changes with the claim and the end of a request. */
const markOf = (item: Item | undefined): string => JSON.stringify([item?.expiresAt, item?.claim]);

/** The pending requests, and one request beside them; on a phone either of both. */
export function InboxView({ id }: { id: string | null }) {
  const { items, arrived } = useStream();
  const navigate = useNavigate();
  const groups = bySession(items ?? []);
  const order = groups.flatMap((group) => group.items);
  const at = order.findIndex((item) => item.id === id);
  const go = (to: Item | undefined) => {
    if (to) void navigate({ to: '/requests/$id', params: { id: to.id }, resetScroll: false });
  };
  useKeys((key) => {
    if (key === 'j') go(order[at + 1]);
    else if (key === 'k') go(at === -1 ? order.at(-1) : order[at - 1]);
    else if (key === 'Escape' && id !== null) void navigate({ to: '/' });
    else return false;
    return true;
  });
  const next = at === -1 ? order[0] : (order[at + 1] ?? order[at - 1]);
  return (
    <div className={id === null ? 'inbox' : 'inbox has-request'}>
      <section className="list" aria-label={T.list}>
        <div className="list-head">
          <h1>{TEXTS.views.inbox}</h1>
          {items !== null && items.length > 0 && <span className="hint">{T.waiting(items.length)}</span>}
          {items !== null && items.length >= 1000 && (
            <Link to="/history" search={{ status: 'pending' }}>
              {T.all}
            </Link>
          )}
          <Notifier />
        </div>
        {items === null && <Loading />}
        {items?.length === 0 && <Empty title={T.empty}>{T.emptyNote}</Empty>}
        {groups.map((group) => (
          <div key={group.items[0]?.id} className="group">
            {groups.length > 1 && (
              <h2>
                {group.agent} <span>{T.session(group.session)}</span>
              </h2>
            )}
            <ul>
              {group.items.map((item) => (
                <Row key={item.id} item={item} />
              ))}
            </ul>
          </div>
        ))}
      </section>
      <section className="detail" aria-label={TEXTS.request.requestId}>
        {id === null ? (
          items !== null && items.length > 0 && <Empty title={T.choose}>{T.chooseNote}</Empty>
        ) : (
          <RequestView
            key={id}
            id={id}
            isPending={at !== -1}
            change={markOf(order[at])}
            next={next && next.id !== id ? next.id : null}
          />
        )}
      </section>
      <p className="unseen" aria-live="polite">
        {arrived && T.arrived(arrived.title)}
      </p>
    </div>
  );
}
