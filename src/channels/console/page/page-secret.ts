/** The secret of the session, which every change needs. Storage and channel are of this origin, so of this port alone. */
const NAME = 'countersign-console';

/** Another tab answers at once, or there is none. */
const ASK_MS = 300;

/** A secret, or null: a new tab asks for it. */
const tabs = new BroadcastChannel(NAME);

export const pageSecret = (): string | null => sessionStorage.getItem(NAME);

tabs.addEventListener('message', ({ data }: MessageEvent<string | null>) => {
  if (data !== null) sessionStorage.setItem(NAME, data);
  else if (pageSecret() !== null) tabs.postMessage(pageSecret());
});

export function keepPageSecret(secret: string): void {
  sessionStorage.setItem(NAME, secret);
  tabs.postMessage(secret);
}

export const forgetPageSecret = (): void => sessionStorage.removeItem(NAME);

/** Takes the secret from another tab of this browser, if this one has none. */
export async function borrowPageSecret(): Promise<void> {
  if (pageSecret() !== null) return;
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ASK_MS);
    tabs.addEventListener('message', ({ data }) => data !== null && resolve(), { once: true });
    tabs.postMessage(null);
  });
}
