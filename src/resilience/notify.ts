/**
 * Tells an observer. What it throws becomes a process warning: a broken log or metric must not change what
 * happens to the call that it watches.
 */
export function notify<Event>(observer: (event: Event) => void, event: Event): void {
  try {
    observer(event);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
