import { TEXTS } from './texts';
import { absoluteOf, countdown } from './times';
import { useNow } from './use-now';

const SECOND_MS = 1_000;
/** From here on the time is short: somebody should look. */
const SHORT_MS = 120_000;

/** The time until a request ends, with a bar for its share. */
export function TimeLeft({ createdAt, expiresAt }: { createdAt: string; expiresAt: string }) {
  const now = useNow(SECOND_MS);
  const [from, to] = [new Date(createdAt), new Date(expiresAt)];
  const left = to.getTime() - now;
  const words = left > 0 ? TEXTS.request.endsIn(countdown(left)) : TEXTS.request.ended;
  return (
    <span className={left < SHORT_MS ? 'left short' : 'left'} title={absoluteOf(to)}>
      <span>{words}</span>
      <progress aria-hidden="true" max={to.getTime() - from.getTime()} value={Math.max(0, left)} />
    </span>
  );
}
