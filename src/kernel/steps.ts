/** Work on an input that may be large: it yields after each bounded step. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Runs the steps without a pause: for small inputs, and for programs that serve no other caller. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
