import { useMutation } from '@tanstack/react-query';
import { api } from './api';
import { TEXTS } from './texts';

const T = TEXTS.signIn;

export function SignIn({ fault, onSignedIn }: { fault: string | null; onSignedIn: () => void }) {
  const signIn = useMutation({
    mutationFn: (key: string) => api.POST('/console/session', { body: { key } }),
    onSuccess: onSignedIn,
  });
  const message = signIn.error?.message ?? (signIn.isIdle ? fault : null);
  return (
    <main className="alone">
      <form
        className="panel sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          const key = new FormData(event.currentTarget).get('key');
          if (typeof key === 'string') signIn.mutate(key.trim());
        }}
      >
        <img src="/console/assets/icon.svg" alt="" width="48" height="48" />
        <h1>{T.title}</h1>
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
        <button type="submit" className="primary" disabled={signIn.isPending}>
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
