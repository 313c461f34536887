import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { api, CONSOLE_HEADER } from './api';
import { keepPageSecret } from './page-secret';
import { signInAssertion } from './passkey';
import { TEXTS } from './texts';

const T = TEXTS.signIn;

/** @param link token of a sign-in link; it signs in by a click, since the person may not have meant to */
export function SignIn({ link, onSignedIn }: { link: string | null; onSignedIn: () => void }) {
  const [isByLink, setByLink] = useState(link !== null);
  const signIn = useMutation({
    mutationFn: async (by: { key: string } | { link: string } | 'passkey') =>
      api.POST('/console/session', { body: by === 'passkey' ? { passkey: await signInAssertion() } : by }),
    onSuccess: ({ response }) => {
      keepPageSecret(response.headers.get(CONSOLE_HEADER) ?? '');
      onSignedIn();
    },
    onError: () => setByLink(false),
  });
  const message = signIn.error?.message ?? null;
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
        <button
          type="button"
          className="primary"
          disabled={signIn.isPending}
          onClick={() => signIn.mutate('passkey')}
        >
          {T.passkey}
        </button>
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
        <button type="submit" disabled={signIn.isPending}>
          {signIn.isPending ? T.busy : T.submit}
        </button>
        <p className="hint">
          {T.help}
          <code>{T.command}</code>
        </p>
      </form>
    </main>
  );
}
