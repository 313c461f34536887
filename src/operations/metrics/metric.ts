import type { Provider } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram, Registry } from 'prom-client';

/** A row of the table of metrics. */
export interface Metric {
  readonly name: string;
  readonly provider: (registry: Registry) => Provider;
  /** Sets the known series of the instance to 0, and returns what each event records. */
  readonly connect: (instance: unknown) => readonly Recording[];
}

export interface Recording {
  readonly of: EventType<unknown>;
  /** @param pending estimated number of pending approvals, this event included. */
  record(event: unknown, pending: number): void;
}

type EventType<Event> = abstract new (...args: never[]) => Event;

/** Each label with all its values: never an id, a text or a URL of a caller. */
type Labels = Readonly<Record<string, readonly string[]>>;
type Series<L extends Labels> = { readonly [Label in keyof L]: L[Label][number] };

/** Values that become known while the service runs, such as the templates of routes: no series begins at 0 for them. */
export const KNOWN_LATER: readonly string[] = [];

interface Row<Event, Begin, L extends Labels> {
  readonly name: string;
  readonly help: string;
  readonly labels?: L;
  /** Returns the labels of what the event adds; null if it adds nothing. */
  readonly series?: (event: Event) => Series<L> | null;
  /** The event that makes a series known, which then begins at 0. */
  readonly begins?: { readonly by: EventType<Begin>; readonly series: (event: Begin) => Series<L> };
}

interface CounterRow<Event, Begin, L extends Labels> extends Row<Event, Begin, L> {
  readonly counts: EventType<Event>;
  /** Default 1. */
  readonly amount?: (event: Event) => number;
}

/** Another event that a counter counts, by one. */
interface Also<Other, L extends Labels> {
  readonly counts: EventType<Other>;
  readonly series: (event: Other) => Series<L> | null;
}

interface HistogramRow<Event, Begin, L extends Labels> extends Row<Event, Begin, L> {
  readonly buckets: readonly number[];
  readonly observes: EventType<Event>;
  /** Null if the event has no value. */
  readonly value: (event: Event, pending: number) => number | null;
}

/** All combinations of the labels' values; one empty combination without labels. */
function combinations(labels: Labels): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (found, [label, values]) => found.flatMap((each) => values.map((value) => ({ ...each, [label]: value }))),
    [{}],
  );
}

/** A labelled series appears with its first value; rates and alerts need the zero before it. */
function rowOf<Event, Begin, L extends Labels>(
  { name, labels, series, begins }: Row<Event, Begin, L>,
  of: EventType<Event>,
  provider: (registers: Registry[], labelNames: string[]) => Provider,
  act: {
    begin: (instance: unknown, series: Series<L>) => void;
    add: (instance: unknown, series: Series<L>, event: Event, pending: number) => void;
  },
): Metric {
  const known = labels ?? ({} as L);
  return {
    name,
    provider: (registry) => provider([registry], Object.keys(known)),
    connect: (instance) => {
      for (const each of combinations(known)) act.begin(instance, each as Series<L>);
      const added: Recording = {
        of,
        record(event: Event, pending) {
          const labelled = series ? series(event) : ({} as Series<L>);
          if (labelled !== null) act.add(instance, labelled, event, pending);
        },
      };
      if (!begins) return [added];
      return [added, { of: begins.by, record: (event: Begin) => act.begin(instance, begins.series(event)) }];
    },
  };
}

/** Counts an event. */
export function counter<Event, Begin = never, const L extends Labels = Record<string, never>, Other = never>(
  row: CounterRow<Event, Begin, L> & { readonly also?: Also<Other, L> },
): Metric {
  const { name, help, counts, amount = () => 1, also } = row;
  const metric = rowOf(
    row,
    counts,
    (registers, labelNames) => makeCounterProvider({ name, help, registers, labelNames }),
    {
      begin: (instance, series) => (instance as Counter).inc(series, 0),
      add: (instance, series, event) => (instance as Counter).inc(series, amount(event)),
    },
  );
  if (also === undefined) return metric;
  const other = (instance: unknown): Recording => ({
    of: also.counts,
    record(event: Other) {
      const series = also.series(event);
      if (series !== null) (instance as Counter).inc(series);
    },
  });
  return { ...metric, connect: (instance) => [...metric.connect(instance), other(instance)] };
}

/** Observes a number of an event. */
export function histogram<Event, Begin = never, const L extends Labels = Record<string, never>>(
  row: HistogramRow<Event, Begin, L>,
): Metric {
  const { name, help, observes, value, buckets } = row;
  return rowOf(
    row,
    observes,
    (registers, labelNames) =>
      makeHistogramProvider({ name, help, registers, labelNames, buckets: [...buckets] }),
    {
      begin: (instance, series) => (instance as Histogram).zero(series),
      add: (instance, series, event, pending) => {
        const observed = value(event, pending);
        if (observed !== null) (instance as Histogram).observe(series, observed);
      },
    },
  );
}

/** Injection tokens of what a scrape reads. */
type Sources<T extends readonly unknown[]> = { readonly [I in keyof T]: EventType<T[I]> | symbol };

/** One number, or one for each series; null: unknown, and left out of the scrape. */
type Reading = number | null | readonly (readonly [series: Record<string, string>, value: number])[];

interface ReadRow<T extends readonly unknown[], R> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly from: Sources<T>;
  readonly read: (...sources: T) => R;
}

/** Reads a number of the service during a scrape. */
export function gauge<T extends readonly unknown[]>({
  name,
  help,
  labels = [],
  from,
  read,
}: ReadRow<T, Reading | Promise<Reading>>): Metric {
  return {
    name,
    provider: (registry) =>
      makeGaugeProvider({
        name,
        help,
        registers: [registry],
        labelNames: labels,
        inject: [...from] as (EventType<unknown> | symbol)[],
        async collect(...sources: unknown[]) {
          const reading = await read(...(sources as unknown as T));
          if (reading === null) this.remove();
          else if (typeof reading === 'number') this.set(reading);
          else {
            this.reset();
            for (const [series, value] of reading) this.set(series, value);
          }
        },
      }),
    connect: () => [],
  };
}

/** Reads a number that only grows during a scrape. */
export function total<T extends readonly unknown[]>({ name, help, from, read }: ReadRow<T, number>): Metric {
  return {
    name,
    provider: (registry) =>
      makeCounterProvider({
        name,
        help,
        registers: [registry],
        inject: [...from] as (EventType<unknown> | symbol)[],
        collect(...sources: unknown[]) {
          this.reset();
          this.inc(read(...(sources as unknown as T)));
        },
      }),
    connect: () => [],
  };
}
