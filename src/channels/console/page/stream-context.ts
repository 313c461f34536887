import { createContext, use } from 'react';
import { useInbox, type Inbox, type InboxStream } from './inbox';

/** The stream of the signed-in operator. */
export const StreamContext = createContext<InboxStream | null>(null);

/** The name of the signed-in operator. */
export const OperatorContext = createContext('');

export const useOperator = (): string => use(OperatorContext);

export function useStream(): Inbox {
  const stream = use(StreamContext);
  if (!stream) throw new Error('no operator is signed in');
  return useInbox(stream);
}
