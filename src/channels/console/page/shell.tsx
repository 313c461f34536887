import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { Suspense, useEffect, useRef, type RefObject } from 'react';
import { Loading } from './notes';
import { TEXTS } from './texts';
import { useKeys } from './use-keys';
import { useSignOut } from './use-sign-out';
import { nameOf, useOperator, useStream } from './stream-context';

const VIEWS = [
  ['/', TEXTS.views.inbox, 'M4 13l3-8h10l3 8v6H4zM4 13h5l1.5 2.5h3L15 13h5'],
  ['/history', TEXTS.views.history, 'M12 7v5l3.5 2M4.6 9A8 8 0 1 1 4 12M4 5v4h4'],
  ['/insight', TEXTS.views.insight, 'M4 4v16h16M8 16v-4M12 16V8M16 16v-6'],
  ['/grants', TEXTS.views.grants, 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4'],
  [
    '/people',
    TEXTS.views.people,
    'M9 11a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 9 11zM3 19c0-3.3 2.7-5.5 6-5.5s6 2.2 6 5.5M16 5.2a3 3 0 0 1 0 5.6M17.5 14c2.1.7 3.5 2.5 3.5 5',
  ],
  ['/policy', TEXTS.views.policy, 'M6 3h9l4 4v14H6zM14 3v5h5M9.5 12.5h6M9.5 16.5h6'],
  ['/keys', TEXTS.views.keys, 'M8 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM11.5 12H21v3.5M17 12v3'],
  ['/audit', TEXTS.views.audit, 'M9 5H5v4M15 5h4v4M9 19H5v-4M15 19h4v-4M8.5 12l2.5 2.5 4.5-5'],
  ['/system', TEXTS.views.system, 'M3 12h4l3-7 4 14 3-7h4'],
] as const;

function Connection() {
  const { state } = useStream();
  const words = { live: TEXTS.live, connecting: TEXTS.connecting, offline: TEXTS.offline }[state];
  return (
    <span className={`connection ${state}`} role="status">
      <span aria-hidden="true" className="dot" />
      {words}
    </span>
  );
}

function KeyboardHelp({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} aria-labelledby="keys-title">
      <h2 id="keys-title">{TEXTS.keys.title}</h2>
      <dl className="keys">
        {TEXTS.keys.list.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">{TEXTS.keys.close}</button>
      </form>
    </dialog>
  );
}

/** The frame of every view. */
export function Shell() {
  const inbox = useStream();
  const navigate = useNavigate();
  const operator = nameOf(useOperator());
  const help = useRef<HTMLDialogElement>(null);
  const signOut = useSignOut();
  const count = inbox.items?.length ?? 0;
  useEffect(() => {
    document.title = count > 0 ? `(${count}) ${TEXTS.product}` : TEXTS.product;
  }, [count]);
  useKeys((key) => {
    if (key === '?') help.current?.showModal();
    else if (key === '/')
      void navigate({ to: '/history' }).then(() => document.getElementById('search')?.focus());
    else return false;
    return true;
  });
  return (
    <div className="shell">
      <a className="skip" href="#content">
        {TEXTS.skip}
      </a>
      <header>
        <Link to="/" className="brand">
          <img src="/console/assets/icon.svg" alt="" width="28" height="28" />
          <span>{TEXTS.product}</span>
        </Link>
        <nav aria-label={TEXTS.navigation}>
          {VIEWS.map(([to, name, path]) => (
            <Link key={to} to={to} activeOptions={{ exact: true, includeSearch: false }}>
              <svg viewBox="0 0 24 24" aria-hidden="true">
                <path d={path} />
              </svg>
              <span>{name}</span>
              {to === '/' && count > 0 && (
                <span className="count" aria-label={TEXTS.inbox.waiting(count)}>
                  {count}
                </span>
              )}
            </Link>
          ))}
        </nav>
        <div className="corner">
          <Connection />
          <button
            type="button"
            className="quiet wide-only"
            title={TEXTS.inbox.shortcuts}
            onClick={() => help.current?.showModal()}
          >
            <kbd>?</kbd>
          </button>
          <span className="operator" title={TEXTS.signedInAs(operator)}>
            {operator}
          </span>
          <button type="button" className="quiet" onClick={() => signOut.mutate('here')}>
            {TEXTS.signOut}
          </button>
        </div>
      </header>
      <div className="body">
        {inbox.state === 'offline' && (
          <p className="banner" role="alert">
            {TEXTS.offlineNote}
          </p>
        )}
        <main id="content" tabIndex={-1}>
          <Suspense fallback={<Loading />}>
            <Outlet />
          </Suspense>
        </main>
      </div>
      <KeyboardHelp dialog={help} />
    </div>
  );
}
