/** Calls an observer. Its error becomes a process warning: a broken log or metric must not affect the observed call. */
export function notify<Event>(observer: (event: Event) => void, event: Event): void {
  try {
    observer(event);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
