import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { checkPolicy } from '../../policy/check/check-policy';
import { renderFindings } from '../../policy/check/render-findings';
import { diffPolicies } from '../../policy/compare/diff';
import { wideningOf } from '../../policy/compare/widening';
import { readDocumentFile } from '../../policy/document/document-file';
import { readPolicy, type ReadPolicy } from '../../policy/document/read-policy';
import { UnreadableDocument } from '../../policy/document/source';
import { importPolicy, writeImported } from '../../policy/import/import-policy';
import { writeStarterPolicy } from '../../policy/starter/starter-policy';
import { about } from '../approvals/about';
import { findApproval } from '../approvals/find-approval';
import {
  PolicyService,
  type Applied,
  type ChangeOptions as Change,
  type EvaluatedVerdict,
} from '../policy/policy-service';
import { complain, Findings, progressBar, show, table } from '../output';
import { doorOf, withServiceOptions, type ServiceOptions } from '../service-options';

const short = (version: string): string => version.slice(0, 'sha256:'.length + 12);

const serviceOf = (options: ServiceOptions): PolicyService => new PolicyService(doorOf(options));

type ChangeOptions = ServiceOptions & Change;

const OVERRIDE = 'although POLICY_FILE manages the policy';
const COMMENT = 'the reason for the change, for the message in the chat and the audit log';

/** A command that calls the service. */
const remote = (name: string, description: string): Command =>
  withServiceOptions(new Command(name).description(description));

/** `countersign policy`: rules that answer what no person needs to see. */
export function policyCommand(): Command {
  return new Command('policy')
    .description(
      'Rules: init, check, test, diff, apply, show, history, rollback, explain, suggest, import, stop',
    )
    .addCommand(
      new Command('init')
        .description('Write a commented starter policy')
        .argument('[file]', 'where to; - for standard output', 'policy.yaml')
        .option('--root <directory>', 'the directory of the project', process.cwd())
        .option('--force', 'replace the file')
        .option('--json', 'print the result as JSON')
        .action(init),
    )
    .addCommand(
      new Command('check')
        .description('Check a document: its form, its rules, and their cases; exit 1 on an error')
        .argument('<file>', 'YAML or JSON; - for standard input')
        .option('--json', 'print the result as JSON')
        .action(check),
    )
    .addCommand(
      remote(
        'test',
        'Replay the stored requests; exit 1 if a request that a person rejected would be allowed',
      )
        .argument('<file>', 'YAML or JSON; - for standard input')
        .option('--since <time>', 'how far back, such as 12h or 7d', '7d')
        .action(test),
    )
    .addCommand(
      remote('diff', 'The differences of two documents')
        .argument('<before>', 'a file, or a version of the service')
        .argument('<after>', 'a file, or a version of the service')
        .action(diff),
    )
    .addCommand(
      remote('suggest', 'Rules that would have saved approvals of people; applies nothing')
        .option('--since <time>', 'how far back, such as 12h or 30d', '30d')
        .action(suggest),
    )
    .addCommand(
      new Command('import')
        .description('Translate permissions of Claude Code or rules of Codex; what is not exact is left out')
        .argument('<file>', 'settings.json or a .rules file')
        .option('--agent-key <name>', 'the API key that the rules are for', '*')
        .option('--root <directory>', 'the directory of the project', process.cwd())
        .option('--json', 'print the result as JSON')
        .action(importRules),
    )
    .addCommand(
      remote('show', 'The active policy, or one version of it').argument('[version]').action(showPolicy),
    )
    .addCommand(
      remote('apply', 'Make a document the active policy; needs an admin’s key')
        .argument('<file>', 'YAML or JSON; - for standard input')
        .option('--override', OVERRIDE)
        .option('--comment <text>', COMMENT)
        .option('--propose', 'have a second admin approve it instead')
        .action(apply),
    )
    .addCommand(remote('proposals', 'Documents that wait for a second person').action(proposals))
    .addCommand(
      remote('approve', 'Apply a proposal as its second person; needs an admin’s key')
        .argument('<id>', 'id of the proposal')
        .option('--override', OVERRIDE)
        .action(async (id: string, options: ChangeOptions) => {
          showApplied(await serviceOf(options).approve(id, options.override === true), options);
        }),
    )
    .addCommand(remote('history', 'The versions that were active, newest first').action(history))
    .addCommand(
      remote('rollback', 'Make an earlier version active again; needs an admin’s key')
        .argument('<version>', 'the version, or the beginning of it')
        .option('--override', OVERRIDE)
        .option('--comment <text>', COMMENT)
        .option('--offline', "on the database, with its owner's DATABASE_URL, if nobody can do it otherwise")
        .action(rollback),
    )
    .addCommand(
      remote('explain', 'Why a request was allowed, denied or asked')
        .argument(
          '[id]',
          'short or full id of a request, which needs an operator’s key; or describe one with the options',
        )
        .addOption(new Option('--tool <name>', 'a tool, as the agent calls it').default('Bash'))
        .option('--command <command>', 'its command')
        .option('--input <json>', 'its input, as JSON')
        .option('--cwd <directory>', 'working directory of the agent')
        .option('--agent-key <name>', 'name of the API key that would ask')
        .action(explain),
    )
    .addCommand(
      remote('stop', 'Suspend every rule that allows, on all replicas').action(
        async (options: ServiceOptions) => {
          const lines = [
            'The rules that allow are stopped on every replica within a second: everything asks.',
          ];
          show(await serviceOf(options).stop(), lines, options);
        },
      ),
    )
    .addCommand(
      remote('resume', 'Let the rules allow again; needs an admin’s key').action(
        async (options: ServiceOptions) => {
          show(await serviceOf(options).resume(), ['The rules allow again.'], options);
        },
      ),
    );
}

interface LocalOptions {
  readonly json?: boolean;
}

function init(
  file: string,
  options: LocalOptions & { readonly root: string; readonly force?: boolean },
): void {
  const document = writeStarterPolicy([], resolve(options.root));
  if (file === '-') {
    process.stdout.write(document);
    return;
  }
  writeFileSync(file, document, { flag: options.force === true ? 'w' : 'wx' });
  const next = [
    `Wrote ${file}. It starts in shadow mode: it records, and asks as before.`,
    `Next: countersign policy check ${file}`,
  ];
  show({ file }, next, options);
}

async function check(file: string, options: LocalOptions): Promise<void> {
  // Loaded lazily: the adapters bring much of the service.
  const { TOOL_SHAPES } = await import('../../agents/adapters.js');
  const text = readDocumentFile(file);
  const { ok, findings } = checkPolicy(text, TOOL_SHAPES);
  if (options.json === true) show({ ok, findings }, [], options);
  else process.stdout.write(renderFindings(findings, text, file));
  if (!ok) throw new Findings();
}

async function test(file: string, options: ServiceOptions & { readonly since: string }): Promise<void> {
  const bar = progressBar('requests', options);
  const result = await serviceOf(options)
    .test(readDocumentFile(file), options.since, bar?.show ?? null)
    .finally(() => bar?.clear());
  const { requests, allow, deny, ask, byRule, regressions } = result;
  const rules = Object.entries(byRule).toSorted(([, a], [, b]) => b - a);
  const lines = [
    `${requests} requests since ${options.since} ago: ${allow} allowed, ${deny} denied, ${ask} asked.`,
    ...table(rules.map(([id, count]) => [`  ${id}`, String(count)])),
    ...(regressions.length > 0 ? ['', 'A person rejected these, and the document would allow them:'] : []),
    ...table(
      regressions.map(({ approvalId, rule, rejectedBy }) => [
        `  ${approvalId}`,
        rule,
        `rejected by ${rejectedBy}`,
      ]),
    ),
  ];
  show(result, lines, options);
  if (regressions.length > 0) throw new Findings();
}

/** @throws Findings after it has shown the faults of the document. */
function readText(text: string, file: string): ReadPolicy {
  try {
    return readPolicy(text);
  } catch (error) {
    if (!(error instanceof UnreadableDocument)) throw error;
    complain(renderFindings(error.findings, text, file).trimEnd());
    throw new Findings();
  }
}

const VERSION = /^(sha256:)?[0-9a-f]{4,64}$/;

/** Reads a file or, if there is none of this name, a version of the service. */
async function readEither(name: string, options: ServiceOptions): Promise<ReadPolicy['policy']> {
  if (!VERSION.test(name) || existsSync(name)) return readText(readDocumentFile(name), name).policy;
  const service = serviceOf(options);
  const { source } = await service.version(await wholeVersion(service, name));
  return readText(source, name).policy;
}

async function diff(before: string, after: string, options: ServiceOptions): Promise<void> {
  const old = await readEither(before, options);
  const current = await readEither(after, options);
  const result = { ...diffPolicies(old, current), widening: wideningOf(old, current) };
  const lines = [
    ...result.added.map(({ id, decision }) => `+ ${id} (${decision})`),
    ...result.removed.map(({ id, decision }) => `- ${id} (${decision})`),
    ...result.changed.map(({ id, members }) => `~ ${id}: ${members.join(', ')}`),
    ...result.others.map(({ member }) => `~ ${member}`),
    ...result.widening.map((words) => `widens: ${words}`),
  ];
  show(result, lines.length === 0 ? ['No differences.'] : lines, options);
}

async function suggest(options: ServiceOptions & { readonly since: string }): Promise<void> {
  const result = await serviceOf(options).suggestions(options.since);
  const { approvals, allowedBefore, suggestions } = result;
  const rules = suggestions.map(({ rule }) => rule);
  const lines = [
    `# People approved ${approvals} requests; the active policy allows ${allowedBefore} of them.`,
    ...suggestions.map(({ rule, saves }) => `# ${rule.id} would have saved ${saves}`),
    ...(rules.length === 0
      ? ['# Nothing is repeated enough.']
      : stringify({ version: 1, rules }).trimEnd().split('\n')),
  ];
  show(result, lines, options);
}

function importRules(
  file: string,
  options: LocalOptions & { readonly agentKey: string; readonly root: string },
): void {
  const text = readDocumentFile(file);
  try {
    const imported = importPolicy(text, { key: options.agentKey, root: resolve(options.root) });
    show(imported, writeImported(imported).trimEnd().split('\n'), options);
  } catch (error) {
    if (!(error instanceof UnreadableDocument)) throw error;
    complain(renderFindings(error.findings, text, file).trimEnd());
    throw new Findings();
  }
}

async function showPolicy(version: string | undefined, options: ServiceOptions): Promise<void> {
  const service = serviceOf(options);
  if (version !== undefined) {
    const found = await service.version(await wholeVersion(service, version));
    show(found, found.source.trimEnd().split('\n'), options);
    return;
  }
  const active = await service.active();
  const stopped = active.stopped
    ? [`# stopped at ${active.stopped.at} by ${active.stopped.by}: everything asks`]
    : [];
  const lines =
    active.version === null || active.source === null
      ? ['No policy is active: every request asks a person.']
      : [
          `# ${active.version}, applied at ${active.appliedAt} by ${active.by}`,
          ...stopped,
          ...active.source.trimEnd().split('\n'),
        ];
  show(active, lines, options);
}

async function apply(file: string, options: ChangeOptions & { readonly propose?: boolean }): Promise<void> {
  const service = serviceOf(options);
  const document = readDocumentFile(file);
  const { version } = await service.active();
  if (options.propose === true) {
    const proposal = await service.propose(document, version, options);
    show(
      proposal,
      [`Proposed as ${proposal.id}. Another admin applies it: countersign policy approve ${proposal.id}`],
      options,
    );
    return;
  }
  showApplied(await service.apply(document, version, options), options);
}

function showApplied(applied: Applied, options: ServiceOptions): void {
  show(applied, [`Version ${applied.version} is active since ${applied.appliedAt}.`], options);
}

async function proposals(options: ServiceOptions): Promise<void> {
  const found = await serviceOf(options).proposals();
  const rows = found.items.map(({ id, version, proposedBy, createdAt }) => [
    id,
    short(version),
    proposedBy,
    createdAt,
  ]);
  show(found, rows.length === 0 ? ['No open proposals.'] : table(rows), options);
}

async function history(options: ServiceOptions): Promise<void> {
  const found = await serviceOf(options).history();
  const rows = found.items.map(({ version, cause, by, appliedAt }) => [short(version), appliedAt, cause, by]);
  show(found, rows.length === 0 ? ['No policy was ever applied.'] : table(rows), options);
}

async function rollback(
  version: string,
  options: ChangeOptions & { readonly offline?: boolean },
): Promise<void> {
  if (options.offline === true) {
    // Loaded lazily: the database code is much of the service.
    const { rollbackOffline } = await import('../policy/rollback-offline.js');
    const done = await rollbackOffline(version, options.comment ?? null);
    show(
      done,
      [`${done.version} is active since ${done.appliedAt.toISOString()}, on every replica within a second.`],
      options,
    );
    return;
  }
  const service = serviceOf(options);
  const whole = await wholeVersion(service, version);
  const { version: active } = await service.active();
  showApplied(await service.rollback(whole, active, options), options);
}

/** Finds a version that was active or is proposed. @throws Error if none, or more than one, begins so. */
async function wholeVersion(service: PolicyService, beginning: string): Promise<string> {
  const items = [...(await service.history()).items, ...(await service.proposals()).items];
  const digest = beginning.replace(/^sha256:/, '');
  const found = new Set(
    items.flatMap(({ version }) => (version.startsWith(`sha256:${digest}`) ? [version] : [])),
  );
  const [only] = found;
  if (digest === '' || found.size !== 1 || only === undefined)
    throw new Error(
      `${found.size === 0 ? 'no version begins' : 'several versions begin'} with ${beginning}; see countersign policy history`,
    );
  return only;
}

interface ExplainOptions extends ServiceOptions {
  readonly tool: string;
  readonly command?: string;
  readonly input?: string;
  readonly cwd?: string;
  readonly agentKey?: string;
}

async function explain(id: string | undefined, options: ExplainOptions): Promise<void> {
  if (id !== undefined) return explainRequest(id, options);
  const verdict = await serviceOf(options).evaluate({
    agentId: 'countersign policy explain',
    toolName: options.tool,
    toolInput: inputOf(options),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.agentKey !== undefined && { key: options.agentKey }),
  });
  show(verdict, verdictLines(verdict), options);
}

function explainRequest(id: string, options: ServiceOptions): Promise<void> {
  return about(options, async (client) => {
    const { policy = null } = await findApproval(client, id);
    const none = ['No policy was active when it was asked: it asks a person.'];
    show({ policy }, policy === null ? none : verdictLines(policy), options);
  });
}

/** @throws Findings for a description that is not complete. */
function inputOf({ command, input }: ExplainOptions): object {
  if (command !== undefined && input === undefined) return { command };
  if (input === undefined || command !== undefined)
    throw new Error('give the id of a request, or --command, or --input');
  try {
    const value: unknown = JSON.parse(input);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // The message below says what is wanted.
  }
  throw new Error('--input must be a JSON object');
}

function rulingLine({ decision, rules }: Pick<EvaluatedVerdict, 'decision' | 'rules'>): string {
  const because =
    rules.length === 0 ? 'no rule matched' : `rule${rules.length === 1 ? '' : 's'} ${rules.join(', ')}`;
  return `${{ allow: 'Allowed', deny: 'Denied', ask: 'Asks a person' }[decision]}: ${because}.`;
}

/** The verdict in words. */
function verdictLines(verdict: EvaluatedVerdict): string[] {
  const { class: name, doubt, version, tokens = [], say = null, shadow } = verdict;
  return [
    rulingLine(verdict),
    ...(shadow ? [`Without shadow mode: ${rulingLine(shadow)}`] : []),
    ...(tokens.length > 0 ? [`Matched: ${tokens.join(' ')}`] : []),
    ...(say === null ? [] : [`The agent reads: ${say}`]),
    ...(doubt === null ? [] : [`Doubt: ${doubt}`]),
    ...(name === null ? [] : [`Class: ${name}`]),
    version === null ? 'No policy is active.' : `Version: ${version}`,
  ];
}
