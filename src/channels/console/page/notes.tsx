import type { ReactNode } from 'react';
import type { Status } from './api';
import { TEXTS } from './texts';
import { absoluteOf, relativeTo } from './times';
import { useNow } from './use-now';

const MINUTE_MS = 60_000;

export function Loading() {
  return (
    <p className="note" role="status">
      <span className="spinner" aria-hidden="true" />
      {TEXTS.loading}
    </p>
  );
}

export function Failure({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <div className="note" role="alert">
      <h2>{TEXTS.failed}</h2>
      <p>{error.message}</p>
      <button type="button" onClick={retry}>
        {TEXTS.retry}
      </button>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="note">
      <svg viewBox="0 0 48 48" aria-hidden="true" className="empty-sign">
        <circle cx="24" cy="24" r="21" />
        <path d="M15 24.5l6.2 6.2L33.5 18" />
      </svg>
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  );
}

/** A moment relative to now; the absolute one in the title. */
export function Moment({ at }: { at: string }) {
  const now = useNow(MINUTE_MS / 4);
  const date = new Date(at);
  return (
    <time dateTime={at} title={absoluteOf(date)}>
      {relativeTo(date, now)}
    </time>
  );
}

export function StatusBadge({ status }: { status: Status }) {
  return <span className={`badge ${status}`}>{TEXTS.status[status]}</span>;
}
