import { Argument, Command, InvalidArgumentError } from 'commander';
import { ZodError } from 'zod';
import { askByHook } from '../../agent-side/hook/ask-by-hook';
import { HOOK_FORMS, type HookAnswer, type HookForm, type HookName } from '../../agent-side/hook/hook-forms';
import { failureOf } from '../../agent-side/run/denials';
import type { JsonObject } from '../../kernel/json';
import { parseStrictJson, StrictJsonError } from '../../kernel/strict-json';
import { clientFor, withServiceOptions, type ServiceOptions } from '../service-options';

const MAX_INPUT_BYTES = 16 * 1024 * 1024;
/**
 * Time for the service, beside the time of the operators; then the hook denies by itself. With the time to take the request
 * back it is below 10 s, which the documents promise.
 */
const MARGIN_MS = 6_000;
/** The longest timeout of a request; a timer of Node.js cannot wait four times as long. */
const MAX_WAIT_SECONDS = 604_800;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

interface HookOptions extends ServiceOptions {
  readonly agent?: string;
  readonly wait?: number;
}

/**
 * Gemini CLI removes variables with KEY, TOKEN or SECRET in their names from the environment of its hooks, in some places
 * all but a few; those that begin with its own name stay.
 */
function takeRenamedSettings(): void {
  for (const name of ['COUNTERSIGN_KEY', 'COUNTERSIGN_URL']) {
    const renamed = process.env[`GEMINI_CLI_${name}`];
    if (renamed !== undefined) process.env[name] ??= renamed;
  }
}

/** `countersign hook`: asks whether the tool call on standard input may run, in the form of the agent. */
export function hookCommand(): Command {
  takeRenamedSettings();
  return withServiceOptions(
    new Command('hook').description('Ask for the tool call on standard input; every failure denies it'),
  )
    .addArgument(new Argument('<agent>', 'whose hook this is').choices(Object.keys(HOOK_FORMS)))
    .option('--agent <id>', 'what operators see as the agent; default the name of the hook')
    .option('--wait <seconds>', 'how long operators have; must end before the agent ends the hook', seconds)
    .action(hook);
}

async function hook(name: HookName, options: HookOptions): Promise<void> {
  const form = HOOK_FORMS[name];
  if (form.provisional) process.stderr.write(`${JSON.stringify(form.provisional)}\n`);
  const end = (answer: HookAnswer) => finish(answer);
  const fail = (error: unknown) => end(form.deny(failureOf(faultOf(error))));
  process.once('uncaughtException', (error) => void fail(error));
  try {
    await end(await answerOf(form, name, options));
  } catch (error) {
    await fail(error);
  }
}

async function answerOf(form: HookForm, name: HookName, options: HookOptions): Promise<HookAnswer> {
  const stop = new AbortController();
  for (const signal of SIGNALS) process.once(signal, () => stop.abort('the hook was interrupted'));
  const waitSeconds = options.wait ?? form.waitSeconds;
  const timer = setTimeout(() => stop.abort('nobody answered in time'), waitSeconds * 1000 + MARGIN_MS);
  // An agent that leaves the input open waits for its own timeout, and may run the tool then.
  stop.signal.addEventListener('abort', () => process.stdin.destroy(new Error(String(stop.signal.reason))));
  const call = form.read(await inputOf(process.stdin), process.env);
  const client = clientFor(options);
  const agentId = options.agent ?? name;
  const verdict = await askByHook(call, { client, agentId, waitSeconds, signal: stop.signal });
  clearTimeout(timer);
  if (verdict === 'undecided') return form.undecided;
  return verdict === 'allowed' ? form.allow : form.deny(verdict.denial);
}

/** @throws StrictJsonError, or Error for an input that is not a JSON object or is too long. */
async function inputOf(stream: AsyncIterable<Buffer>): Promise<JsonObject> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > MAX_INPUT_BYTES) throw new Error(`the input is longer than ${MAX_INPUT_BYTES} bytes`);
    chunks.push(chunk);
  }
  const input = parseStrictJson(Buffer.concat(chunks));
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as JsonObject;
  throw new Error('the input is not a JSON object');
}

/** Ends the process at once: open connections to the service would keep it, and the agent, for seconds. */
async function finish({ stdout, stderr, exitCode }: HookAnswer): Promise<never> {
  if (stderr !== undefined) await written(process.stderr, `${stderr}\n`);
  if (stdout !== undefined) await written(process.stdout, `${JSON.stringify(stdout)}\n`);
  process.exit(exitCode);
}

const written = (stream: NodeJS.WriteStream, text: string): Promise<void> =>
  new Promise((done) => stream.write(text, () => done()));

function faultOf(error: unknown): string {
  if (error instanceof ZodError)
    return `the input has another form: ${error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`;
  if (error instanceof StrictJsonError) return `the input is not readable: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_WAIT_SECONDS) return value;
  throw new InvalidArgumentError(
    `It must be a whole number of seconds, at least 1 and at most ${MAX_WAIT_SECONDS}, which are a week.`,
  );
}
