import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountersignClient } from '../client';
import type { Approval } from '../client/approval-wire';
import type { CanaryStart, Place } from './connected-agent';
import type { Installed } from './installed';
import { startScriptedModel } from './scripted-model';

/** Time for an agent to start, ask, and end. */
const AGENT_WITHIN_MS = 120_000;
/** Time for an agent to end after its request was cancelled. */
const END_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 150;
const RECENT = 20;
/** Characters of the agent's last words in a message. */
const LAST_WORDS = 300;
const CANCELLED = 'this was the canary of countersign connect: there is nothing to decide';

/** The outcome of one canary call. */
export type Proof =
  /** It was asked for, was not approved, and did not run. */
  | { readonly kind: 'held'; readonly approvalId: string }
  /** It was asked for and approved before it could be cancelled, by a rule or a person: nothing is known of a denial. */
  | { readonly kind: 'approved'; readonly approvalId: string; readonly by: string }
  | { readonly kind: 'ran-although-denied'; readonly approvalId: string }
  | { readonly kind: 'ran-unasked' }
  | { readonly kind: 'not-asked'; readonly lastWords: string };

/**
 * Has the agent itself make one harmless call, which only the service can let run, and takes the request back. The agent
 * reads its real settings; only its model is a script.
 *
 * @throws ServiceRefused, ServiceUnreachable
 */
export async function proveByCanary(
  { agent, program }: Installed,
  place: Place,
  client: CountersignClient,
): Promise<Proof> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'countersign-canary-')));
  const name = `canary-${randomBytes(9).toString('hex')}`;
  const effect = join(folder, name);
  const command = `printf ran > ${effect}`;
  const model = await startScriptedModel(agent.call(command));
  try {
    const start = agent.canary(place, { command, program, name, folder, modelUrl: model.url });
    // The settings of a project count only in it.
    const run = begin(start, place.scope === 'project' ? place.cwd : folder);
    const asked = await answered(client, name, run.ended);
    const ended = await endOf(run, asked === null ? 0 : END_WITHIN_MS);
    const ran = start.letsRun ? asked !== null && start.letsRun(ended) : existsSync(effect);
    return proofOf(asked, ran, `${ended.output}\n${model.results.join('\n')}`);
  } finally {
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function proofOf(asked: Approval | null, ran: boolean, output: string): Proof {
  if (asked === null)
    return ran ? { kind: 'ran-unasked' } : { kind: 'not-asked', lastWords: lastWordsOf(output) };
  const { id: approvalId, status, decision } = asked;
  if (status === 'approved') return { kind: 'approved', approvalId, by: decision?.by.name ?? 'a rule' };
  return { kind: ran ? 'ran-although-denied' : 'held', approvalId };
}

const lastWordsOf = (output: string): string => output.trim().replace(/\s+/g, ' ').slice(-LAST_WORDS);

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

interface Run {
  readonly ended: Promise<Ended>;
  kill(): void;
}

function begin({ file, args, env, input }: CanaryStart, cwd: string): Run {
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const ended = new Promise<Ended>((done) => {
    child.once('error', (error) => done({ code: null, output: error.message }));
    child.once(
      'exit',
      (code) => void sleep(LOOK_EVERY_MS).then(() => done({ code, output: output || errors })),
    );
  });
  return { ended, kill: () => killGroup(child.pid) };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // the group has ended
  }
}

/** The end of the agent; one that does not end by itself is killed, with all that it started. */
async function endOf(run: Run, withinMs: number): Promise<Ended> {
  const late = new AbortController();
  await Promise.race([run.ended, sleep(withinMs, null, { signal: late.signal }).catch(() => null)]);
  late.abort();
  run.kill();
  return run.ended;
}

/** The request of the canary once it is settled; cancels it while it is pending. Null if none came. */
async function answered(
  client: CountersignClient,
  name: string,
  ended: Promise<unknown>,
): Promise<Approval | null> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), AGENT_WITHIN_MS);
  void ended.then(() => over.abort());
  try {
    for (;;) {
      // Looked at once more after the end: the last look may have come too early.
      const isLast = over.signal.aborted;
      const { items } = await client.list({ limit: RECENT });
      const request = items.find((each) => isOf(each, name));
      if (request?.status === 'pending') await client.cancel(request.id, CANCELLED).catch(() => undefined);
      else if (request) return request;
      else if (isLast) return null;
      else await Promise.race([ended, sleep(LOOK_EVERY_MS)]);
    }
  } finally {
    clearTimeout(timer);
  }
}

const isOf = ({ toolInput }: Approval, name: string): boolean => JSON.stringify(toolInput).includes(name);
