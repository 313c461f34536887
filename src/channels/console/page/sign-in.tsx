import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { api, CONSOLE_HEADER } from './api';
import { keepPageSecret } from './page-secret';
import { signInAssertion } from './passkey';
import { goToProvider } from './provider-sign-in';
import { TEXTS } from './texts';

const T = TEXTS.signIn;

interface SignInProps {
  /** Token of a sign-in link; it signs in by a click, since the person may not have meant to. */
  readonly link: string | null;
  /** Answer of the OpenID provider; it signs in at once, since only the browser that asked for it can use it. */
  readonly answer: string | null;
  /** Host of the OpenID provider; null: there is none. */
  readonly provider: string | null;
  readonly onSignedIn: () => void;
}

export function SignIn({ link, answer, provider, onSignedIn }: SignInProps) {
  const [isByLink, setByLink] = useState(link !== null);
  const signIn = useMutation({
    mutationFn: async (by: { key: string } | { link: string } | { oidc: { answer: string } } | 'passkey') =>
      api.POST('/console/session', { body: by === 'passkey' ? { passkey: await signInAssertion() } : by }),
    onSuccess: ({ response }) => {
      keepPageSecret(response.headers.get(CONSOLE_HEADER) ?? '');
      onSignedIn();
    },
    onError: () => setByLink(false),
  });
  const leave = useMutation({ mutationFn: goToProvider });
  const { mutate } = signIn;
  const isPresented = useRef(false);
  useEffect(() => {
    if (answer === null || isPresented.current) return;
    isPresented.current = true;
    mutate({ oidc: { answer } });
  }, [answer, mutate]);
  const isBusy = signIn.isPending || leave.isPending;
  const message = (leave.error ?? signIn.error)?.message ?? null;
  if (isByLink && link !== null)
    return (
      <main className="alone">
        <div className="panel sign-in">
          <img src="/console/assets/icon.svg" alt="" width="48" height="48" />
          <h1>{T.title}</h1>
          <p>{T.linkIntro}</p>
          <button
            type="button"
            className="primary"
            disabled={signIn.isPending}
            onClick={() => signIn.mutate({ link })}
          >
            {signIn.isPending ? T.busy : T.submit}
          </button>
        </div>
      </main>
    );
  return (
    <main className="alone">
      <form
        className="panel sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          const key = new FormData(event.currentTarget).get('key');
          if (typeof key === 'string') signIn.mutate({ key: key.trim() });
        }}
      >
        <img src="/console/assets/icon.svg" alt="" width="48" height="48" />
        <h1>{T.title}</h1>
        <button type="button" className="primary" disabled={isBusy} onClick={() => signIn.mutate('passkey')}>
          {T.passkey}
        </button>
        {provider !== null && (
          <button type="button" className="primary" disabled={isBusy} onClick={() => leave.mutate()}>
            {T.provider(provider)}
          </button>
        )}
        <p className="or">{T.or}</p>
        <p>{T.intro}</p>
        <label htmlFor="key">{T.key}</label>
        <input
          id="key"
          name="key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
          aria-describedby={message === null ? undefined : 'fault'}
        />
        {message !== null && (
          <p id="fault" className="fault" role="alert">
            {message}
          </p>
        )}
        <button type="submit" disabled={isBusy}>
          {isBusy ? T.busy : T.submit}
        </button>
        <p className="hint">
          {T.help}
          <code>{T.command}</code>
        </p>
      </form>
    </main>
  );
}
