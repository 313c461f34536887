import { AsyncLocalStorage } from 'node:async_hooks';
import {
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { readTraceparent } from '../kernel/traceparent';
import { describeError } from '../kernel/describe-error';
import type { Log } from '../logging/log';
import { Tracing, type Attributes, type Traceparent } from './tracing';

/** An unavailable collector must not delay a stop for longer. */
const EXPORT_TIMEOUT_MS = 3_000;
const SEND_EVERY_MS = 1_000;

function contextOf(traceparent: Traceparent | null | undefined): SpanContext | null {
  const fields = readTraceparent(traceparent ?? '');
  if (fields === null) return null;
  const { traceId, spanId, flags } = fields;
  const context = { traceId, spanId, traceFlags: flags & TraceFlags.SAMPLED, isRemote: true };
  return isSpanContextValid(context) ? context : null;
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): Traceparent {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Logs the first failed and the first successful export of a series; the SDK drops spans in silence. */
function telling(exporter: SpanExporter, log: Log): SpanExporter {
  let failing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined;
        if (failed && !failing) {
          const fields = { error: describeError(result.error) };
          log.event('warn', 'tracing.export-failed', fields, 'spans are lost; the service goes on');
        }
        if (!failed && failing) log.event('info', 'tracing.exported', {}, 'spans arrive again');
        failing = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

/**
 * Tracing on: sends spans to an OTLP collector over HTTP. Uses no globals, so that replicas in one process stay
 * separate.
 */
export class OtlpTracing extends Tracing {
  private readonly provider: NodeTracerProvider;
  private readonly tracer: Tracer;
  private readonly active = new AsyncLocalStorage<Context>();

  /** @param endpoint the collector; `/v1/traces` is added. */
  constructor(endpoint: string, service: { readonly name: string; readonly version: string }, log: Log) {
    super();
    const exporter = new OTLPTraceExporter({
      url: `${endpoint}/v1/traces`,
      timeoutMillis: EXPORT_TIMEOUT_MS,
    });
    this.provider = new NodeTracerProvider({
      resource: resourceFromAttributes({ 'service.name': service.name, 'service.version': service.version }),
      spanProcessors: [
        new BatchSpanProcessor(telling(exporter, log), {
          scheduledDelayMillis: SEND_EVERY_MS,
          exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        }),
      ],
    });
    this.tracer = this.provider.getTracer(service.name, service.version);
  }

  get current(): Traceparent | null {
    const context = this.running;
    return context ? traceparentOf(context) : null;
  }

  begin<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
    const parent = this.active.getStore() ?? ROOT_CONTEXT;
    return this.run(
      this.tracer.startSpan(name, { kind: SpanKind.SERVER, attributes: { ...attributes } }, parent),
      work,
    );
  }

  resume<T>(
    at: Traceparent | null,
    name: string,
    attributes: Attributes,
    work: () => Promise<T>,
  ): Promise<T> {
    const parent = contextOf(at);
    if (!parent) return work();
    const options = { kind: SpanKind.CONSUMER, attributes: { ...attributes }, links: this.linksTo(parent) };
    return this.run(this.tracer.startSpan(name, options, trace.setSpanContext(ROOT_CONTEXT, parent)), work);
  }

  call<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
    const parent = this.active.getStore();
    if (!parent) return work();
    return this.run(
      this.tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes: { ...attributes } }, parent),
      work,
    );
  }

  past(at: Traceparent | null, name: string, from: Date, to: Date, attributes: Attributes): void {
    const parent = contextOf(at);
    if (!parent) return;
    const options = { startTime: from, attributes: { ...attributes }, links: this.linksTo(parent) };
    this.tracer.startSpan(name, options, trace.setSpanContext(ROOT_CONTEXT, parent)).end(to);
  }

  under<T>(traceparent: string | undefined, work: () => T): T {
    const context = contextOf(traceparent);
    return context ? this.active.run(trace.setSpanContext(ROOT_CONTEXT, context), work) : work();
  }

  async close(): Promise<void> {
    await this.provider.shutdown();
  }

  private get running(): SpanContext | undefined {
    const context = this.active.getStore();
    return context && trace.getSpanContext(context);
  }

  /** Links to the running span if it belongs to another trace, such as that of the operator's request. */
  private linksTo({ traceId }: SpanContext): { context: SpanContext }[] {
    const { running } = this;
    return running && running.traceId !== traceId ? [{ context: running }] : [];
  }

  private async run<T>(span: Span, work: () => Promise<T>): Promise<T> {
    try {
      return await this.active.run(trace.setSpan(ROOT_CONTEXT, span), work);
    } catch (error) {
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: error instanceof Error ? error.name : typeof error,
      });
      throw error;
    } finally {
      span.end();
    }
  }
}
