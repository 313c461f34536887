import {
  QueryCache,
  QueryClient,
  QueryClientProvider,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router';
import { lazy, useEffect, useMemo, useState } from 'react';
import { api, bodyOf, isSignedOut, Refusal } from './api';
import { readAuditFilter } from './audit-filter';
import { GrantsView } from './grants-view';
import { HistoryView, readFilter } from './history-view';
import { InboxStream } from './inbox';
import { InboxView } from './inbox-view';
import { readInsightPlace } from './insight-place';
import { Failure, Loading } from './notes';
import { borrowPageSecret } from './page-secret';
import { takeProviderAnswer } from './provider-sign-in';
import { PeopleView } from './people-view';
import { readPolicyPlace } from './policy-place';
import { Shell } from './shell';
import { Enrolment } from './enrolment';
import { SignIn } from './sign-in';
import { OperatorContext, StreamContext } from './stream-context';
import { SystemView } from './system-view';

/** Views that load when they are opened. */
const AuditView = lazy(() => import('./audit-view'));
const InsightView = lazy(() => import('./insight-view'));
const KeysView = lazy(() => import('./keys-view'));
const PolicyView = lazy(() => import('./policy-view'));

const SESSION = ['session'];
const STALE_MS = 30_000;

const root = createRootRoute({ component: Shell });
const inbox = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: () => <InboxView id={null} />,
});
const request = createRoute({
  getParentRoute: () => root,
  path: '/requests/$id',
  component: function Request() {
    return <InboxView id={request.useParams().id} />;
  },
});
const history = createRoute({
  getParentRoute: () => root,
  path: '/history',
  validateSearch: readFilter,
  component: function History() {
    return <HistoryView filter={history.useSearch()} />;
  },
});
const insight = createRoute({
  getParentRoute: () => root,
  path: '/insight',
  validateSearch: readInsightPlace,
  component: function Insight() {
    return <InsightView place={insight.useSearch()} />;
  },
});
const grants = createRoute({ getParentRoute: () => root, path: '/grants', component: GrantsView });
const people = createRoute({ getParentRoute: () => root, path: '/people', component: PeopleView });
const policy = createRoute({
  getParentRoute: () => root,
  path: '/policy',
  validateSearch: readPolicyPlace,
  component: function Policy() {
    return <PolicyView place={policy.useSearch()} />;
  },
});
const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: readAuditFilter,
  component: function Audit() {
    return <AuditView filter={audit.useSearch()} />;
  },
});
const keys = createRoute({ getParentRoute: () => root, path: '/keys', component: () => <KeysView /> });
const system = createRoute({ getParentRoute: () => root, path: '/system', component: SystemView });

const router = createRouter({
  routeTree: root.addChildren([
    inbox,
    request,
    history,
    insight,
    grants,
    policy,
    people,
    keys,
    audit,
    system,
  ]),
  basepath: '/console',
  defaultNotFoundComponent: () => <InboxView id={null} />,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (isSignedOut(error)) void client.invalidateQueries({ queryKey: SESSION });
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      retry: (failures, error) => failures < 2 && !(error instanceof Refusal && error.status < 500),
    },
  },
});

/** The token of a link that signs in, or of an invitation; it leaves the address at once, so that nobody copies it. */
function takeToken(kind: 'link' | 'invite'): string | null {
  const token = new RegExp(`^#${kind}=([\\w-]+)$`).exec(location.hash)?.[1] ?? null;
  if (token !== null) window.history.replaceState(null, '', location.pathname);
  return token;
}

const link = takeToken('link');
const invite = takeToken('invite');
const providerAnswer = takeProviderAnswer();

function Session() {
  const queries = useQueryClient();
  const session = useQuery({
    queryKey: SESSION,
    queryFn: async () => {
      await borrowPageSecret();
      return bodyOf(api.GET('/console/session'));
    },
    staleTime: Infinity,
    refetchOnWindowFocus: 'always',
  });
  const stream = useMemo(
    () => new InboxStream(() => void queries.invalidateQueries({ queryKey: SESSION })),
    [queries],
  );
  const [isInvited, setInvited] = useState(invite !== null);
  const [answer, setAnswer] = useState(providerAnswer);
  const operator = session.data?.operator ?? null;
  const isSignedIn = operator !== null;
  useEffect(() => {
    if (!isSignedIn) return;
    stream.open();
    return () => stream.close();
  }, [stream, isSignedIn]);
  if (session.data === undefined)
    return session.error ? (
      <main className="alone">
        <Failure error={session.error} retry={() => void session.refetch()} />
      </main>
    ) : (
      <main className="alone">
        <Loading />
      </main>
    );
  if (isInvited && invite !== null)
    return (
      <Enrolment
        invite={invite}
        onEnd={() => {
          setInvited(false);
          void queries.resetQueries();
        }}
      />
    );
  // An answer signs in anew, also where this browser has a session.
  if (operator === null || answer !== null)
    return (
      <SignIn
        link={link}
        answer={answer}
        provider={session.data.provider}
        onSignedIn={() => {
          setAnswer(null);
          void session.refetch();
        }}
      />
    );
  return (
    <OperatorContext value={operator}>
      <StreamContext value={stream}>
        <RouterProvider router={router} />
      </StreamContext>
    </OperatorContext>
  );
}

export function App() {
  return (
    <QueryClientProvider client={client}>
      <Session />
    </QueryClientProvider>
  );
}
