import { createContext, use } from 'react';
import { useInbox, type Inbox, type InboxStream } from './inbox';

/** The stream of the signed-in operator. */
export const StreamContext = createContext<InboxStream | null>(null);

interface Operator {
  readonly key: string;
  readonly owner: string | null;
  /** Null: signed in with a key. */
  readonly person: string | null;
}

/** The signed-in operator. */
export const OperatorContext = createContext<Operator>({ key: '', owner: null, person: null });

export const useOperator = (): Operator => use(OperatorContext);

export const nameOf = ({ key, owner }: Operator): string => owner ?? key;

export function useStream(): Inbox {
  const stream = use(StreamContext);
  if (!stream) throw new Error('no operator is signed in');
  return useInbox(stream);
}
